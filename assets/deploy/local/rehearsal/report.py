#!/usr/bin/env python3
"""Prints what a rehearsal has shown, as a table in Markdown, and judges it: exit code 0 only when no
request was lost and no key was loaded more often within one TTL than is allowed. It asks nobody: it
reads what the clients saw (load.json), what the database noted of each load (postgres.log), and what
the fronts noted of requests that they passed on to another instance.

usage: report.py FOLDER INSTANCES
"""

import json
import pathlib
import re
import sys

# That of queries/rehearsal.sql, in seconds.
TTL = 2.0
# What each phase is called, how often one key may be loaded within one TTL, and why more than once.
PHASES = {
    "before": ("before: nothing happens", 1, None),
    "restart": ("each stopped and started", 1, None),
    "kill": ("`kill -9` of one, started again", 2, "what the killed one was loading is loaded by another"),
    "upgrade": ("each upgraded", 1, None),
    "redis": ("Redis stopped and started, empty", None,
              "while Redis is away each instance loads for itself, and once more one for all when it is back, empty"),
    "postgres": ("PostgreSQL stopped and started", 2,
                 "what its end cuts off may begin anew at an instance that it has not cut off yet"),
    "after": ("after it all: nothing happens", 1, None),
}
HEAD = ["Phase", "Through", "Requests", "Lost", "Passed on", "p99", "Slowest", "Oldest copy",
        "Loads", "by unslow's count", "Most per key and TTL", "Allowed"]
SHOWN = 5


def loads(folder):
    """Of each load the moment when it began and its key, by the database's own log."""
    line = re.compile(r"^(\d+\.\d+) .*LOG: +load of key (\d+) begins")
    with open(folder / "postgres.log", encoding="utf-8", errors="replace") as file:
        found = (line.match(text) for text in file)
        return sorted((float(match[1]), match[2]) for match in found if match)


def passed_on(folder):
    """Of each front the moments of requests that were asked of more than one instance, or twice."""
    moments = {"nginx": [], "haproxy": []}
    tries = folder / "nginx" / "tries.log"
    if tries.exists():
        lines = (line.split(" ", 2) for line in tries.read_text().splitlines())
        moments["nginx"] = [float(line[0]) for line in lines if "," in line[2]]
    log = folder / "haproxy.log"
    if log.exists():
        lines = re.findall(r"(\d+\.\d+) -?\d+ (\+?\d+) ", log.read_text(errors="replace"))
        moments["haproxy"] = [float(moment) for moment, tries in lines if tries != "0"]
    return moments


def most(all_loads, begin, end):
    """How many loads of one key began within one TTL, at most; the last of them between the two moments."""
    counts = [0]
    for moment, key in all_loads:
        if begin <= moment < end:
            counts.append(sum(1 for other, its in all_loads if its == key and moment - TTL < other <= moment))
    return max(counts)


def own_count(phase, following):
    """The loads of the phase by the instances' own counters; none where one of them was replaced."""
    total = 0
    for name, before in phase["counters"].items():
        after = following["counters"][name]
        if not before or not after or before["instance"] != after["instance"]:
            return None
        total += after["loads"] - before["loads"]
    return total


def seconds(value):
    return f"{value * 1000:.0f} ms" if value < 0.9995 else f"{value:.2f} s"


def row(phase, front, moments, extra):
    seen = phase["fronts"][front]
    times = sorted(seen["times"]) or [0.0]
    p99 = times[min(len(times) - 1, len(times) * 99 // 100)]
    retried = sum(1 for moment in moments[front] if phase["begin"] <= moment < phase["end"])
    name = {"nginx": "nginx", "haproxy": "HAProxy"}[front]
    return [PHASES[phase["name"]][0], name, f"{len(seen['times']):,}", str(len(seen["lost"])), str(retried),
            seconds(p99), seconds(times[-1]), f"{seen['oldest']:.1f} s", *extra]


def table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    cells = [[cell.ljust(width) if column < 2 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths))]
             for row in rows]
    rule = ["-" * width if column < 2 else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [cells[0], rule, *cells[1:]])


def judge(folder, instances):
    phases = json.loads((folder / "load.json").read_text())
    all_loads, moments = loads(folder), passed_on(folder)
    rows, wrong, notes, lost = [HEAD], [], [], []
    for phase, following in zip(phases, phases[1:]):
        title, allowed, why = PHASES[phase["name"]]
        allowed = allowed or instances + 1
        count = sum(1 for moment, _ in all_loads if phase["begin"] <= moment < phase["end"])
        top, own = most(all_loads, phase["begin"], phase["end"]), own_count(phase, following)
        extra = [str(count), "–" if own is None else str(own), str(top), str(allowed)]
        for front in phase["fronts"]:
            rows.append(row(phase, front, moments, extra))
            extra = ["", "", "", ""]
            lost += [(phase["name"], front, each) for each in phase["fronts"][front]["lost"]]
        if top > allowed:
            wrong.append(f"{title}: a key was loaded {top} times within one TTL")
        # Without them nothing would have been shown.
        for front, seen in phase["fronts"].items():
            if not seen["times"]:
                wrong.append(f"{title}: no requests through {front}")
        if not count:
            wrong.append(f"{title}: no loads")
        if why:
            notes.append(f"- {title}: {why}, so {allowed} are allowed.")
    if lost:
        wrong.insert(0, f"{len(lost)} requests were lost")
    print(table(rows), *(["", *notes] if notes else []), sep="\n")
    for name, front, each in lost[:SHOWN]:
        print(f"lost in {name} through {front} at {each['at']:.3f}: {each['path']}: {each['why']}")
    return wrong


def main(arguments):
    wrong = judge(pathlib.Path(arguments[0]), int(arguments[1]))
    print("\n" + ("FAILED: " + "; ".join(wrong) if wrong else
                  "No request was lost, and no key was loaded more often than allowed."))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
