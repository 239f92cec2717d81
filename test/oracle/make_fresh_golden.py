#!/usr/bin/env python3
"""Write test/fixtures/fresh.txt: what the parameters of timm's freshly built models are distributed like.

    pip install torch==2.13.0 timm==1.0.29     (CPU)
    nice python test/oracle/make_fresh_golden.py [SECONDS [NAME ...]]

Every built-in architecture is built anew 200 times, or as often as fits into SECONDS of a processor (default 15), with
other random numbers each time; of those that are named only, the others' rows stay as they are. For the weight and the bias of its Conv2d and Linear modules: elements, mean, standard deviation,
kurtosis and both extremes over all draws. Modules whose names differ in numbers only and whose shapes are equal share
a row; `apart` is the largest distance of one module's own deviation from the row's, in its standard errors. Draws that
torch's trunc_normal_ makes exactly 2 or -2, a hundred deviations, are counted in `accidents` and left out: one in 2^24
of its float32 uniforms is the very end of the interval, and its quantile infinite.
"""
import json
import math
import re
import sys
import time
from pathlib import Path

import torch
from torch import nn

from make_architecture_golden import NAMES, create

OUT = Path(__file__).resolve().parent.parent / "fixtures" / "fresh.txt"
MOST_DRAWS = 200
COLUMNS = "first module, parameter, weight's shape, groups, modules, elements, mean, deviation, kurtosis, low, high, apart, accidents"


class Moments:
    """Sums of powers about zero, which is where all of these distributions are centred or close to it."""

    def __init__(self):
        self.count, self.sums, self.low, self.high, self.accidents = 0, [0.0] * 4, math.inf, -math.inf, 0

    def add(self, values):
        accident = values.abs() == 2
        if accident.any():
            self.accidents += int(accident.sum())
            values = values[~accident]
        # In units of their size, and in short rows, so that float32 holds all powers and sums.
        unit = float(values.abs().max()) or 1.0
        x = values / unit
        square = x * x
        for i, power in enumerate((x, square, square * x, square * square)):
            rows = power[: power.numel() // 1024 * 1024].view(-1, 1024).sum(1).double().sum()
            rest = power[power.numel() // 1024 * 1024:].double().sum()
            self.sums[i] += float(rows + rest) * unit ** (i + 1)
        self.count += x.numel()
        low, high = values.aminmax()
        self.low, self.high = min(self.low, float(low)), max(self.high, float(high))

    def merge(self, other):
        self.count, self.accidents = self.count + other.count, self.accidents + other.accidents
        self.sums = [a + b for a, b in zip(self.sums, other.sums)]
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)

    def row(self):
        m1, m2, m3, m4 = (s / self.count for s in self.sums)
        variance = max(0.0, m2 - m1 * m1)
        fourth = m4 - 4 * m1 * m3 + 6 * m1 * m1 * m2 - 3 * m1**4
        return m1, math.sqrt(variance), fourth / variance**2 if variance > 0 else None


def draw(name, seconds):
    """Moments by module and role, and how many models were built."""
    found, draws, started = {}, 0, time.process_time()
    while draws < MOST_DRAWS and (draws < 2 or time.process_time() - started < seconds):
        torch.manual_seed(draws)
        for path, module in create(name).named_modules():
            if not isinstance(module, (nn.Conv2d, nn.Linear)):
                continue
            for role in ("weight", "bias"):
                parameter = getattr(module, role)
                if parameter is not None:
                    key = (path, role, tuple(module.weight.shape), getattr(module, "groups", 1))
                    found.setdefault(key, Moments()).add(parameter.detach().flatten())
        draws += 1
    return found, draws


def describe(name, seconds):
    found, draws = draw(name, seconds)
    groups = {}
    for (path, role, shape, parts), moments in found.items():
        groups.setdefault((re.sub(r"\d+", "#", path), role, shape, parts), []).append((path, moments))
    rows = []
    for (pattern, role, shape, parts), members in groups.items():
        whole = Moments()
        for _, moments in members:
            whole.merge(moments)
        mean, deviation, kurtosis = whole.row()
        apart = 0.0
        if deviation > 0:
            for _, moments in members:
                error = deviation * math.sqrt(max(kurtosis - 1, 0.1) / (4 * moments.count))
                apart = max(apart, abs(moments.row()[1] - deviation) / error)
        digits = lambda value: "-" if value is None else f"{value:.5g}"
        rows.append([members[0][0], role, "x".join(map(str, shape)), parts, len(members), whole.count,
                     *(digits(v) for v in (mean, deviation, kurtosis, whole.low, whole.high)), f"{apart:.1f}", whole.accidents])
    return {"draws": draws, "modules": len(found), "rows": rows}


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 15
    names = sys.argv[2:] or NAMES
    known = {part.split()[0]: part.strip() for part in OUT.read_text().split("\n# ")[1:]}
    for name in names:
        one = describe(name, seconds)
        rows = [" ".join(map(str, row)) for row in one["rows"]]
        known[name] = "\n".join([f"{name} {one['draws']} draws, {one['modules']} parameters", *rows])
        print(f"{name}: {one['draws']} draws", flush=True)
        OUT.write_text("\n# ".join(["# " + COLUMNS, *(known[name] for name in NAMES if name in known)]) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
