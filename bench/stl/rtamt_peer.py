"""rtamt over one signal, for bench/stl/rtamt.ts. Reads as JSON
    {spec, pastify, cpp, offline, signal, chunk, seconds}
and writes {microseconds, samples, values}: microseconds per sample of the best stretch of `chunk` samples within the
seconds given, null where infinite. Online values are those of `update`, offline ones each of its own sample."""

import json
import math
import sys
import time

import rtamt


def parsed(monitor, task):
    monitor.declare_var("x", "float")
    monitor.spec = task["spec"]
    monitor.parse()
    if task["pastify"]:
        monitor.pastify()
    return monitor


def offline(task):
    monitor = parsed(rtamt.StlDiscreteTimeOfflineSpecification(), task)
    signal = task["signal"]
    start = time.perf_counter()
    values = [value for _, value in monitor.evaluate({"time": list(range(len(signal))), "x": signal})]
    return (time.perf_counter() - start) / len(signal), values


def online(task):
    make = rtamt.StlDiscreteTimeOnlineSpecificationCpp if task["cpp"] else rtamt.StlDiscreteTimeOnlineSpecification
    monitor = parsed(make(), task)
    signal, chunk, values = task["signal"], task["chunk"], []
    best, begin = math.inf, time.perf_counter()
    for first in range(0, len(signal) - chunk + 1, chunk):
        start = time.perf_counter()
        for i in range(first, first + chunk):
            values.append(monitor.update(i, [("x", signal[i])]))
        now = time.perf_counter()
        best = min(best, (now - start) / chunk)
        if now - begin > task["seconds"]:
            break
    return best, values


task = json.load(sys.stdin)
seconds, values = (offline if task["offline"] else online)(task)
finite = [value if math.isfinite(value) else None for value in values]
json.dump({"microseconds": seconds * 1e6, "samples": len(values), "values": finite}, sys.stdout)
