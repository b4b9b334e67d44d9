"""What ./bench/run suite measures: the points, who is measured at each, and the targets.

SPDX-License-Identifier: BSL-1.0
"""
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Subject:
    """Something that is measured: ours, or a peer. `command` gets a point's name and numbers appended."""

    name: str
    command: list
    environment: dict = field(default_factory=dict)


@dataclass
class Point:
    """One measurement, of several subjects in turns. `key` is the number that is shown first."""

    title: str
    arguments: list  # of the command
    key: str
    subjects: list
    also: tuple = ()
    rounds: int = 5

    @property
    def name(self):
        return " ".join(self.arguments)


def subjects(build, source):
    """All that have been built, by name, and what to say about those that have not."""
    suite, peers = Path(build) / "bench/suite", Path(build) / "bench/peers"
    sources = Path(source) / "bench/peers"
    lua = {"LUA_CPATH": f"{build}/src/hosts/lua/5.4/?.so;{suite}/?.so"}
    found = {
        "multicore": Subject("multicore", [f"{suite}/bench_suite"]),
        "multicore, Lua": Subject("multicore, Lua", ["lua5.4", f"{source}/bench/suite/suite.lua"], lua),
    }
    missing = []

    def peer(name, needs, command, environment=None):
        if all(Path(path).exists() for path in needs):
            found[name] = Subject(name, command, environment or {})
        else:
            missing.append(name)

    peer("CPython", [peers / "python/peer_native.so"], [sys.executable, f"{sources}/python/peer.py"],
         {"PYTHONPATH": f"{peers}/python"})
    peer("Ruby", [peers / "ruby/peer_native.so"], ["ruby", "-I", f"{peers}/ruby", f"{sources}/ruby/peer.rb"])
    peer("OCaml", [peers / "ocaml/peer"], [f"{peers}/ocaml/peer"])
    peer("Go, GOMAXPROCS=1", [peers / "go/peer"], [f"{peers}/go/peer"])
    peer("Erlang, dirty NIF", [peers / "erlang/bench_peer.beam"],
         ["erl", "+S", "1", "+SDio", "64", "-noshell", "-pa", f"{peers}/erlang", "-run", "bench_peer", "main"], {"ERL_CRASH_DUMP": "/dev/null"})
    peer("libuv", [peers / "libuv/peer"], [f"{peers}/libuv/peer"])
    peer("Boost.Fiber", [peers / "boost_fiber/peer"], [f"{peers}/boost_fiber/peer"])
    if not shutil.which("lua5.4"):
        del found["multicore, Lua"]
        missing.append("multicore, Lua")
    return found, missing


LANGUAGES = ["CPython", "Ruby", "OCaml", "Go, GOMAXPROCS=1", "Erlang, dirty NIF"]


def points(found, quick=False):
    def of(*names):
        return [found[name] for name in names if name in found]

    def renamed(name, point):
        """A peer that is a point of bench_suite."""
        base = found["multicore"]
        return Subject(name, base.command + [point])

    suite, lua = "multicore", "multicore, Lua"
    own = of(suite)
    result = [
        Point("Raw limits of the machine", ["raw"], "cas_cas_ns", own),
        Point("Pair: release and acquire, nobody waits", ["pair"], "pair_ns", of(suite, lua, *LANGUAGES),
              also=("cas_cas_ns", "module_ns", "disabled_ns", "no_runtime_ns")),
    ]
    for section in ([20] if quick else [0, 20, 1000]):
        result.append(Point(f"A {section} us section beside a computing task", ["beside", str(section)],
                            "us_per_iteration", of(suite, lua, *(LANGUAGES if section else [])),
                            also=("speed_kept",)))
    tasks = [2, 64] if quick else [2, 8, 64]
    sections = [1, 10] if quick else [1, 10, 100, 1000]
    for count in tasks:
        for section in sections:
            shape = [str(count), str(section)]
            result.append(
                Point(f"{count} tasks, sections of {section} us", ["parallel", *shape], "of_bound", own + (
                    [] if quick else [renamed("std::mutex", "parallel_mutex"),
                                      renamed("mutex and condition", "parallel_condition"), *of(*LANGUAGES)]),
                      also=("parallelism", "bound", "wakes_per_section", "handoffs_per_section")))
    for state in ("idle", "busy"):
        result.append(Point(f"From a section's end to interpreter code, {state} interpreter", [f"latency_{state}"],
                            "p50_ns", own, also=("p99_ns", "p999_ns")))
    result.append(Point("One job in flight", ["jobs", "1"], "per_second", of(suite, "libuv")))
    result.append(Point("256 jobs in flight", ["jobs", "256"], "per_second", of(suite, "libuv")))
    result.append(Point("Tasks", ["tasks"], "yield_ns", of(suite, lua, "Boost.Fiber"),
                        also=("spawn_join_ns", "park_unpark_ns", "park_unpark_across_threads_ns",
                              "channel_round_trip_ns")))
    if quick:
        return result
    for count in (1000, 10000):
        result.append(Point(f"{count} tasks in a section that blocks 100 ms", ["block_tasks", str(count)], "wall_ms",
                            own, also=("memory_peak_kib", "threads")))
        result.append(Point(f"{count} plain threads that block 100 ms", ["block_threads", str(count)], "wall_ms",
                            own, also=("memory_peak_kib",)))
    result.append(Point("1,000,000 parked tasks with stacks of 64 KiB", ["parked", "1000000"], "bytes_each", own,
                        also=("park_ns_each", "mappings", "wall_ms"), rounds=3))
    for state in ("nothing", "section", "computing"):
        result.append(Point(f"CPU time when idle: {state}", [f"idle_{state}", "5"], "percent_of_a_core", own, rounds=3))
    for count in (1, 4, 16, 64, 256, 1024):
        result.append(Point(f"Growth: pair beside {count} parked tasks", ["pair", str(count)], "pair_ns", own,
                            also=("cas_cas_ns",)))
        result.append(Point(f"Growth: {count} tasks, sections of 10 us", ["parallel", str(count), "10"],
                            "of_bound", own, also=("wakes_per_section",)))
    for threads in (1, 2, 4, 16, 64):
        result.append(Point(f"Growth: 64 tasks, at most {threads} carriers", ["parallel", "64", "10", str(threads)],
                            "of_bound", own, also=("wakes_per_section",)))
    return result


@dataclass
class Target:
    """`value` of the medians compared with a bound; lower is better unless `at_least`."""

    title: str
    value: object  # a function of the results
    bound: float
    at_least: bool = False


def targets():
    def median(point, key, subject="multicore"):
        return lambda get: get(point, subject, key)

    def ratio(point, key, base_point, base, subject="multicore"):
        return lambda get: get(point, subject, key) / get(base_point, "multicore", base)

    result = [
        Target("pair / (CAS+CAS)", ratio("pair", "pair_ns", "pair", "cas_cas_ns"), 1.5),
        Target("pair, disabled / (CAS+CAS)", ratio("pair", "disabled_ns", "pair", "cas_cas_ns"), 1.0),
        Target("pair, no runtime / (CAS+CAS)", ratio("pair", "no_runtime_ns", "pair", "cas_cas_ns"), 0.6),
        Target("20 us section beside a computing task, us", median("beside 20", "us_per_iteration"), 30),
        Target("speed kept by that task", median("beside 20", "speed_kept"), 0.9, True),
    ]
    for tasks, section, bound in ((64, 1, .9), (64, 10, .95), (64, 100, .95), (64, 1000, .95), (2, 1, .85),
                                  (2, 10, .95), (2, 100, .95), (2, 1000, .95)):
        result.append(Target(f"parallel, N={tasks}, D={section} us, of the bound",
                             median(f"parallel {tasks} {section}", "of_bound"), bound, True))
    result += [
        Target("latency, idle / spin round trip", ratio("latency_idle", "p50_ns", "raw", "spin_round_trip_ns"), 3),
        Target("latency, busy, ns", median("latency_busy", "p50_ns"), 6000),
        Target("wakes per section, N=64, D=10 us", median("parallel 64 10", "wakes_per_section"), .2),
        Target("wakes per section, N=2, D=10 us", median("parallel 2 10", "wakes_per_section"), .2),
        Target("10,000 blocking: wall / threads", ratio("block_tasks 10000", "wall_ms", "block_threads 10000", "wall_ms"),
               1.15),
        Target("10,000 blocking: memory / threads",
               ratio("block_tasks 10000", "memory_peak_kib", "block_threads 10000", "memory_peak_kib"), 2),
        Target("bytes of a parked task", median("parked 1000000", "bytes_each"), 8192),
        Target("jobs per second, 1 in flight", median("jobs 1", "per_second"), 1e5, True),
        Target("jobs per second, 256 in flight", median("jobs 256", "per_second"), 3e6, True),
        Target("yield / raw switch", ratio("tasks", "yield_ns", "tasks", "fiber_switch_ns"), 2),
        Target("spawn and join, ns", median("tasks", "spawn_join_ns"), 150),
    ]
    for state in ("nothing", "section", "computing"):
        result.append(Target(f"idle, {state}: percent of a core",
                             median(f"idle_{state} 5", "percent_of_a_core"), .3))
    return result
