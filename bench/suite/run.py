"""The suite: runs every point of every subject some times, in turns; writes JSON, a table and plots.

usage: run.py BUILD SOURCE OUTPUT [--quick] [--only TEXT] [--rounds N]

SPDX-License-Identifier: BSL-1.0
"""
import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

from points import points, subjects, targets


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        cpus = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    version = subprocess.run(["g++", "--version"], capture_output=True, text=True, check=False).stdout
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": cpus[0] if cpus else platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "compiler": version.splitlines()[0] if version else "",
    }


def measure(subject, point):
    """The numbers of one repetition."""
    command = subject.command
    # bench_suite has peers of its own, which bring their point along.
    arguments = point.arguments if not command[-1].startswith("parallel_") else point.arguments[1:]
    try:
        done = subprocess.run(command + arguments, env={**os.environ, **subject.environment}, capture_output=True,
                              text=True, check=True, timeout=300)
        return json.loads(done.stdout.splitlines()[-1])
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or [f"status {error.returncode}"])[-1]
    except subprocess.TimeoutExpired:
        reason = "no end after 300 s"
    sys.exit(f"{sys.argv[0]}: {subject.name}: {point.name}: {reason}\n"
             f"The command was: {' '.join(command + arguments)}")


def progress(text):
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def summary(samples):
    """Of each number the median, and how far the middle half of the repetitions spreads."""
    result = {}
    for key in samples[0]:
        values = sorted(sample[key] for sample in samples)
        quarter = len(values) // 4
        result[key] = {"median": statistics.median(values), "low": values[quarter], "high": values[-1 - quarter]}
    return result


def run_points(selected, rounds):
    results = []
    for index, point in enumerate(selected):
        samples = {subject.name: [] for subject in point.subjects}
        count = min(rounds, point.rounds)
        for repetition in range(count):
            for subject in point.subjects:
                progress(f"{index + 1}/{len(selected)} {point.title}: {subject.name} {repetition + 1}/{count}")
                samples[subject.name].append(measure(subject, point))
        progress("")
        entry = {"point": point.name, "title": point.title, "key": point.key, "also": list(point.also),
                 "subjects": {name: summary(values) for name, values in samples.items()}}
        results.append(entry)
        show(entry)
    return results


def number(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def row(name, numbers, keys):
    parts = []
    for key in keys:
        if key in numbers:
            part = numbers[key]
            parts.append(f"{key} {number(part['median'])} ({number(part['low'])} to {number(part['high'])})")
    return f"    {name:22} " + "  ".join(parts)


def show(entry):
    print(entry["title"])
    for name, numbers in entry["subjects"].items():
        keys = [entry["key"], *entry["also"]] if entry["point"] != "raw" else list(numbers)
        print(row(name, numbers, keys), flush=True)


def judge(results):
    """What of the targets holds; those of points that were not run are left out."""
    by_name = {entry["point"]: entry["subjects"] for entry in results}

    def get(point, subject, key):
        return by_name[point][subject][key]["median"]

    judged = []
    for target in targets():
        try:
            value = target.value(get)
        except KeyError:
            continue
        met = value >= target.bound if target.at_least else value <= target.bound
        judged.append({"target": target.title, "value": value, "bound": target.bound,
                       "at_least": target.at_least, "met": met})
    return judged


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("source")
    parser.add_argument("output")
    parser.add_argument("--quick", action="store_true", help="fewer points")
    parser.add_argument("--only", default="", help="points whose name or title contains this")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    found, missing = subjects(options.build, options.source)
    for name in missing:
        print(f"{name}: not measured: not built, its packages are missing")
    selected = [point for point in points(found, options.quick)
                if options.only in point.name or options.only in point.title]
    if not selected:
        sys.exit(f"{sys.argv[0]}: no point has {options.only!r} in its name or title")
    facts = machine()
    print(f"{facts['date']}, {facts['cpu']}, {facts['cpus']} CPUs, Linux {facts['kernel']}, {facts['compiler']}\n"
          "medians, and the middle half of the repetitions")
    results = run_points(selected, options.rounds)
    judged = judge(results)
    for each in judged:
        sign = ">=" if each["at_least"] else "<="
        print(f"{'met   ' if each['met'] else 'MISSED'} {each['target']}: {number(each['value'])}, "
              f"target {sign} {number(each['bound'])}")
    output = Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    file = output / "suite.json"
    file.write_text(json.dumps({"machine": facts, "results": results, "targets": judged}, indent=1) + "\n",
                    encoding="utf-8")
    try:
        from plot import plot  # needs matplotlib
        plotted = plot(results, output)
    except ImportError:
        print("no plots: python3-matplotlib is missing")
        plotted = []
    print("written:", *(str(path) for path in [file, *plotted]), sep="\n    ")


if __name__ == "__main__":
    main()
