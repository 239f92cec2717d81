#!/usr/bin/env python3
"""Write test/fixtures/weight-rules.json: what PyTorch makes of trained weights by every rule that looks at them.

    python test/oracle/make_weight_rule_golden.py     # needs torch and onnx

By model and stored weight:

- int8: torch.quantize_per_channel, int4: torch.fake_quantize_per_channel_affine, fp8: a cast to
  torch.float8_e4m3fn, all with the scale max |w| / largest of every output channel, in float32
- prune: torch.nn.utils.prune.l1_unstructured; prune-channels: ln_structured with n=2, dim=0
- lowrank: torch.linalg.svd in float64

The SHA-256 of the float32 results, zeros positive, in PyTorch's order; of lowrank, which is not a matter of
bits, the size of the difference and the first four values.
"""
import hashlib
import json
import math
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn.utils import prune

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
FRACTIONS = [0.1, 0.5, 0.9]


def weights_of(path):
    """Stored as PyTorch has them, outputs first; a Linear's Transpose is a node of the graph."""
    for stored in onnx.load(path).graph.initializer:
        if stored.name.endswith(".weight") and len(stored.dims) >= 2:
            yield stored.name, torch.from_numpy(numpy_helper.to_array(stored).copy())


def quantized(weight, grid):
    largest = {"int8": 127, "int4": 7, "fp8": 448}[grid]
    scale = weight.abs().flatten(1).amax(1) / largest
    zeros = torch.zeros(len(scale), dtype=torch.int64)
    if grid == "int8":
        return torch.quantize_per_channel(weight, scale.double(), zeros, 0, torch.qint8).dequantize()
    if grid == "int4":
        return torch.fake_quantize_per_channel_affine(weight, scale, zeros.int(), 0, -7, 7)
    wide = scale.reshape(-1, *[1] * (weight.dim() - 1))
    return (weight * (1 / wide)).to(torch.float8_e4m3fn).float() * wide


def pruned(weight, how, **options):
    module = nn.Module()
    module.weight = nn.Parameter(weight.clone())
    how(module, "weight", **options)
    return module.weight.detach()


def low_rank(weight, fraction):
    matrix = weight.flatten(1).double()
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    rank = math.ceil(fraction * len(s) - 1e-9)
    return ((u[:, :rank] * s[:rank]) @ v[:rank]).reshape(weight.shape)


def digest(values):
    return hashlib.sha256((values.numpy() + np.float32(0)).astype("<f4").tobytes()).hexdigest()[:16]


def rules(weight):
    for grid in ("int8", "int4", "fp8"):
        yield f"quantize={grid}", digest(quantized(weight, grid))
    for fraction in FRACTIONS:
        yield f"prune={fraction}", digest(pruned(weight, prune.l1_unstructured, amount=fraction))
        kept = pruned(weight, prune.ln_structured, amount=fraction, n=2, dim=0)
        yield f"prune-channels={fraction}", digest(kept)
        low = low_rank(weight, fraction)
        yield f"lowrank={fraction}", {
            "distance": round(float((low - weight.double()).norm()), 9),
            "first": [round(x, 9) for x in low.flatten()[:4].tolist()],
        }


torch.manual_seed(0)
models = [f"trained/{name}.onnx" for name in ("resnet", "vit", "convnext")]
golden = {
    name: {tensor: dict(rules(weight)) for tensor, weight in weights_of(FIXTURES / name)} for name in models
}
(FIXTURES / "weight-rules.json").write_text(json.dumps(golden) + "\n")
