"""The fast part of the suite against the committed baseline: fails where a ratio to a raw limit of the same run has
become worse by more than the noise.

usage: check.py BUILD SOURCE [--update]

SPDX-License-Identifier: BSL-1.0
"""
import json
import sys
from pathlib import Path

from points import Point, subjects
from run import measure, progress

# What is compared: a ratio, lower is better. (name, point, number, the number of the same repetition it is
# divided by, and how much worse than the baseline it may be)
RATIOS = [
    ("pair", ["pair"], "pair_ns", "cas_cas_ns", 1.15),
    ("pair from a module", ["pair"], "module_ns", "cas_cas_ns", 1.15),
    ("pair, disabled", ["pair"], "disabled_ns", "cas_cas_ns", 1.15),
    ("pair, no runtime", ["pair"], "no_runtime_ns", "cas_cas_ns", 1.3),
    ("2 tasks, 10 us: the bound", ["parallel", "2", "10"], "bound", "parallelism", 1.25),
    ("64 tasks, 10 us: the bound", ["parallel", "64", "10"], "bound", "parallelism", 1.25),
    ("yield", ["tasks"], "yield_ns", "fiber_switch_ns", 1.25),
    ("spawn and join", ["tasks"], "spawn_join_ns", "fiber_switch_ns", 1.25),
    ("park and unpark", ["tasks"], "park_unpark_ns", "fiber_switch_ns", 1.25),
]
ROUNDS = 5


def measured(build, source):
    """The best ratio of some repetitions: noise only ever makes it worse."""
    ours = subjects(build, source)[0]["multicore"]
    result = {}
    for arguments in {tuple(ratio[1]): None for ratio in RATIOS}:
        point = Point("", list(arguments), "", [ours])
        samples = []
        for repetition in range(ROUNDS):
            progress(f"{point.name} {repetition + 1}/{ROUNDS}")
            samples.append(measure(ours, point))
        for name, its, value, base, _ in RATIOS:
            if tuple(its) == arguments:
                result[name] = min(sample[value] / sample[base] for sample in samples)
    progress("")
    return result


def main():
    build, source = sys.argv[1:3]
    file = Path(source) / "bench/suite/baseline.json"
    found = measured(build, source)
    if "--update" in sys.argv[3:]:
        file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(f"written: {file}")
        return
    baseline = json.loads(file.read_text(encoding="utf-8"))
    worse = 0
    for name, _, value, base, margin in RATIOS:
        limit = baseline[name] * margin
        good = found[name] <= limit
        worse += not good
        print(f"{'ok   ' if good else 'WORSE'} {name}: {value} / {base} = {found[name]:.3g}, "
              f"baseline {baseline[name]:.3g}, limit {limit:.3g}")
    if worse:
        sys.exit(f"{worse} of {len(RATIOS)} are worse than the baseline by more than the noise. If nothing else ran "
                 "on this machine, and the change is meant: ./bench/run check --update")


if __name__ == "__main__":
    main()
