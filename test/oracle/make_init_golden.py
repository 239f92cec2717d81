#!/usr/bin/env python3
"""Write test/fixtures/init.json: the spreads that PyTorch's initialisers use, by weight shape.

    python test/oracle/make_init_golden.py     # needs torch and scipy

The numbers are the arguments with which torch.nn.init and reset_parameters call normal_ and uniform_
on the weight (a standard deviation, or the bound b of a uniform draw from -b to b). lecunNormal is
timm's lecun_normal_: a normal of standard deviation `param`, cut off at two of them (`bound`), which
leaves the standard deviation `std`.
"""
import json
import math
from contextlib import contextmanager
from pathlib import Path

import torch
from scipy.stats import truncnorm
from torch import nn

OUT = Path(__file__).resolve().parent.parent / "fixtures" / "init.json"

# (weight shape, groups). torch counts fans from the shape alone, whatever the groups.
SHAPES = [((64, 3, 7, 7), 1), ((32, 1, 3, 3), 32), ((16, 8, 1, 1), 1), ((10, 48), 1), ((768, 3072), 1)]


@contextmanager
def recorded():
    """Collect ("normal", std) and ("uniform", bound) for every draw made inside the block."""
    calls, normal, uniform = [], torch.Tensor.normal_, torch.Tensor.uniform_

    def record_normal(tensor, mean=0.0, std=1.0, **rest):
        assert mean == 0
        calls.append(("normal", float(std)))
        return normal(tensor, mean, std, **rest)

    def record_uniform(tensor, low=0.0, high=1.0, **rest):
        assert low == -high
        calls.append(("uniform", float(high)))
        return uniform(tensor, low, high, **rest)

    torch.Tensor.normal_, torch.Tensor.uniform_ = record_normal, record_uniform
    try:
        yield calls
    finally:
        torch.Tensor.normal_, torch.Tensor.uniform_ = normal, uniform


def spread(kind, initialise, weight):
    with recorded() as calls:
        initialise(weight)
    (got, value), = calls
    assert got == kind
    return value


def default_bounds(shape, groups):
    """The bounds of the weight and the bias in Conv2d's or Linear's own reset_parameters."""
    if len(shape) == 4:
        layer = nn.Conv2d(shape[1] * groups, shape[0], shape[2:], groups=groups)
    else:
        layer = nn.Linear(shape[1], shape[0])
    assert tuple(layer.weight.shape) == shape
    with recorded() as calls:
        layer.reset_parameters()
    (_, weight), (_, bias) = calls
    return weight, bias


def main():
    torch.manual_seed(0)
    init, rows = nn.init, []
    for shape, groups in SHAPES:
        weight = torch.empty(shape)
        fan_in, fan_out = init._calculate_fan_in_and_fan_out(weight)
        weight_bound, bias_bound = default_bounds(shape, groups)
        param = math.sqrt(1 / fan_in) / 0.87962566103423978
        rows.append({
            "shape": list(shape), "groups": groups, "fanIn": fan_in, "fanOut": fan_out,
            "pytorchDefault": {"weightBound": weight_bound, "biasBound": bias_bound},
            "kaimingNormal": {"std": spread("normal", init.kaiming_normal_, weight)},
            "kaimingNormalFanOutRelu": {"std": spread("normal", lambda w: init.kaiming_normal_(
                w, mode="fan_out", nonlinearity="relu"), weight)},
            "kaimingUniform": {"bound": spread("uniform", init.kaiming_uniform_, weight)},
            "xavierNormal": {"std": spread("normal", init.xavier_normal_, weight)},
            "xavierUniform": {"bound": spread("uniform", init.xavier_uniform_, weight)},
            "lecunNormal": {"param": param, "bound": 2 * param, "std": param * float(truncnorm(-2, 2).std())},
        })
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text('{"shapes": [\n' + ",\n".join(json.dumps(r) for r in rows) + "\n]}\n")
    print(OUT.read_text())


if __name__ == "__main__":
    main()
