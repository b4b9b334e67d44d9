# Common to tests/run, bench/run and .ci/run: packages, configuring, building. To be sourced by bash.
# SPDX-License-Identifier: BSL-1.0

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
jobs=$(nproc)

build_packages="g++ cmake ninja-build pkg-config libboost-context-dev libgtest-dev
    libbenchmark-dev liblua5.4-dev lua5.4 libssl-dev zlib1g-dev python3"
# Interpreters and event loops: what is not to be had is left out.
host_packages="liblua5.1-0-dev lua5.1 libluajit-5.1-dev luajit libmruby-dev duktape-dev tcl8.6-dev tcl8.6
    libuv1-dev libev-dev libglib2.0-dev libperl-dev libcoro-perl libev-perl libanyevent-perl"
# What ./bench/run suite compares with, and draws with.
peer_packages="python3-dev ruby-dev ruby ocaml-nox golang-go erlang-dev erlang-base libboost-fiber-dev
    python3-matplotlib"
check_packages="clang clang-format valgrind"

say() { printf '== %s\n' "$*"; }
die() { printf '%s: %s\n' "$0" "$*" >&2; exit 1; }

# Names those of the given Debian packages that are not installed.
missing_packages() {
    local package
    for package in "$@"; do
        case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
            *' installed') ;;
            *) printf '%s ' "$package" ;;
        esac
    done
}

# setup_packages PACKAGE...: installs what is missing, or says what is and how to get it.
setup_packages() {
    local missing as_root=() log=build/packages.log
    if ! command -v dpkg-query >/dev/null; then
        say "not a Debian system: not checking for the equivalents of $(echo "$@")"
        return 0
    fi
    missing=$(missing_packages "$@")
    missing=${missing% }
    [ -z "$missing" ] && return 0

    if [ "$(id -u)" -ne 0 ]; then
        as_root=(sudo -n)
        if ! sudo -n true 2>/dev/null; then
            die "missing packages: $missing
Install them with:
    sudo apt-get install $missing"
        fi
    fi
    say "installing $missing"
    mkdir -p build
    # shellcheck disable=SC2086
    if ! { "${as_root[@]}" apt-get -q update &&
           "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
               apt-get -q -y --no-install-recommends install $missing; } >"$log" 2>&1 </dev/null; then
        tail -n 15 "$log" >&2
        die "could not install: $missing (the whole output is in $log)
Install them with:
    apt-get update && apt-get install $missing"
    fi
}

# offer_packages PACKAGE...: the same, but goes on without those that cannot be installed.
offer_packages() {
    local package
    # All at once is faster; if one is not to be had, none is installed.
    (setup_packages "$@") 2>/dev/null && return 0
    for package in $(missing_packages "$@"); do
        (setup_packages "$package") || say "going on without $package"
    done
}

# quietly LOG COMMAND...: shows the output only if the command fails.
quietly() {
    local log=$1
    shift
    mkdir -p "$(dirname "$log")"
    "$@" >"$log" 2>&1 || { local status=$?; cat "$log" >&2; return $status; }
}

# build_preset NAME [CMAKE_ARG...]
build_preset() {
    local preset=$1
    shift
    say "$preset: configure"
    quietly "build/$preset/configure.log" cmake --preset "$preset" "$@" || return 1
    say "$preset: build"
    quietly "build/$preset/build.log" cmake --build "build/$preset" --parallel "$jobs" || return 1
}

# test_preset NAME [CTEST_ARG...]
test_preset() {
    local preset=$1
    shift
    say "$preset: test"
    ctest --preset "$preset" --parallel $((jobs + 1)) "$@"  # some only wait
}
