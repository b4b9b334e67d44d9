# The points of the suite in CPython: peer.py POINT [NUMBER...]; prints one JSON object.
# SPDX-License-Identifier: BSL-1.0
import json
import sys
import threading
import time

import peer_native as native


def run_all(threads):
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def pair():
    return {"pair_ns": min(native.pairs(500000) for _ in range(7))}


def parallel(tasks, section_us):
    rate = native.calibrate()
    steps, held = int(rate * section_us), int(rate * section_us / 10)
    each = max(4, int(200000 / section_us / tasks))

    def body():
        for _ in range(each):
            native.section(steps, held)

    threads = [threading.Thread(target=body) for _ in range(int(tasks))]
    start = time.monotonic()
    run_all(threads)
    parallelism = tasks * each * section_us / 1e6 / (time.monotonic() - start)
    bound = native.speed_up() * section_us / (section_us + section_us / 10)
    return {"parallelism": parallelism, "bound": bound, "of_bound": parallelism / bound}


def beside(section_us):
    seconds = 0.3
    steps = int(native.calibrate() * section_us)

    def compute(goes_on):
        rounds, x, start = 0, 0, time.monotonic()
        while goes_on(start):
            for i in range(100):
                x += i
            rounds += 1
        return rounds / (time.monotonic() - start)

    native.busy(True)
    alone = compute(lambda start: time.monotonic() - start < seconds)
    native.busy(False)
    result = {}
    done = threading.Event()

    def computes():
        result["speed_kept"] = compute(lambda start: not done.is_set()) / alone

    def sections():
        count, start = 0, time.monotonic()
        while time.monotonic() - start < seconds:
            native.section(steps, 0)
            count += 1
        result["us_per_iteration"] = (time.monotonic() - start) * 1e6 / count
        done.set()

    run_all([threading.Thread(target=computes), threading.Thread(target=sections)])
    return result


points = {"pair": pair, "parallel": parallel, "beside": beside}
print(json.dumps(points[sys.argv[1]](*map(float, sys.argv[2:]))))
