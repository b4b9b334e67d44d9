"""Pictures of a run of the suite.

SPDX-License-Identifier: BSL-1.0
"""
import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402: after the choice of what draws

OURS = "multicore"


def color(names):
    palette = plt.get_cmap("tab10").colors
    others = [name for name in names if name != OURS]
    return {OURS: "black", **{name: palette[i % len(palette)] for i, name in enumerate(others)}}


def bars(entry, key, label, path):
    subjects = {name: numbers[key] for name, numbers in entry["subjects"].items() if key in numbers}
    names = sorted(subjects, key=lambda name: -subjects[name]["median"])
    colors = color(names)
    figure, axes = plt.subplots(figsize=(7, 0.5 * len(names) + 1.2))
    values = [subjects[name]["median"] for name in names]
    spread = [[subjects[name]["median"] - subjects[name]["low"] for name in names],
              [subjects[name]["high"] - subjects[name]["median"] for name in names]]
    axes.barh(names, values, xerr=spread, color=[colors[name] for name in names])
    axes.set_xscale("log")
    axes.set_xlabel(label)
    axes.set_title(entry["title"])
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)
    return path


def parallel(results, tasks, path):
    """Share of the bound against the length of the sections."""
    entries = [entry for entry in results if entry["point"].split()[:2] == ["parallel", str(tasks)]
               and "std::mutex" in entry["subjects"]]
    if not entries:
        return None
    names = list(entries[0]["subjects"])
    colors = color(names)
    figure, axes = plt.subplots(figsize=(7, 4))
    for name in names:
        lengths = [int(entry["point"].split()[2]) for entry in entries]
        values = [entry["subjects"][name]["of_bound"]["median"] for entry in entries]
        axes.plot(lengths, values, marker="o", label=name, color=colors[name], linewidth=2.5 if name == OURS else 1)
    axes.set_xscale("log")
    axes.set_ylim(0, 1.1)
    axes.axhline(1, color="gray", linewidth=0.5)
    axes.set_xlabel("section, us (then a tenth of that with the interpreter)")
    axes.set_ylabel("parallelism, share of what the machine allows")
    axes.set_title(f"{tasks} tasks")
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)
    return path


def plot(results, output):
    """The files that were written."""
    by_name = {entry["point"]: entry for entry in results}
    written = []
    if "pair" in by_name:
        written.append(bars(by_name["pair"], "pair_ns", "ns per pair", output / "pair.svg"))
    if "beside 20" in by_name:
        written.append(bars(by_name["beside 20"], "us_per_iteration", "us per iteration of a 20 us section",
                            output / "beside.svg"))
    written += [parallel(results, tasks, output / f"parallel_{tasks}.svg") for tasks in (2, 8, 64)]
    return [path for path in written if path]
