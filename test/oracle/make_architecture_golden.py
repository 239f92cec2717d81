"""Writes test/fixtures/architectures.json: what timm says of every built-in architecture.

    pip install torch==2.13.0 timm==1.0.29     (CPU)
    python test/oracle/make_architecture_golden.py

For each: a hash of the names and shapes of its state, one of the names of its Conv2d and Linear modules in order,
what its default weights expect of images, and the logits of a variant with few classes over small images. The
weights and images of that variant follow a rule that test/architectures/weight-rule.ts follows too, so none of
them are stored.
"""

import hashlib
import json
import math
from pathlib import Path

import numpy
import timm
import torch

NAMES = """
    resnet18 resnet34 resnet50 resnet101 resnet152 wide_resnet50_2 resnext50_32x4d densenet121
    vit_tiny_patch16_224 vit_small_patch16_224 vit_base_patch16_224
    vit_tiny_patch32_224 vit_small_patch32_224 vit_base_patch32_224
    deit_tiny_patch16_224 deit_small_patch16_224 deit_base_patch16_224
    deit_tiny_distilled_patch16_224 deit_small_distilled_patch16_224 deit_base_distilled_patch16_224
    convnext_atto convnext_femto convnext_pico convnext_nano convnext_tiny convnext_small convnext_base
""".split()
CLASSES = 7
IMAGES = 2
# Also with images of one channel, whose convolutions differ.
GREY = ["resnet18", "deit_tiny_patch16_224", "convnext_atto"]
# Not in timm under this name: its ViT-Ti with the patches of the others.
BUILT = {"vit_tiny_patch32_224": ("vit_tiny_patch16_224", {"patch_size": 32})}


def value_hash(name: str, count: int) -> numpy.ndarray:
    """Numbers on [0, 1), 24 bits: FNV-1a of the name, then the index through MurmurHash3's finaliser."""
    h = 0x811C9DC5
    for byte in name.encode():
        h = ((h ^ byte) * 0x01000193) & 0xFFFFFFFF
    with numpy.errstate(over="ignore"):
        x = numpy.arange(count, dtype=numpy.uint32) * numpy.uint32(0x9E3779B1) + numpy.uint32(h)
        x = (x ^ (x >> numpy.uint32(16))) * numpy.uint32(0x85EBCA6B)
        x = (x ^ (x >> numpy.uint32(13))) * numpy.uint32(0xC2B2AE35)
        x = x ^ (x >> numpy.uint32(16))
    return (x >> numpy.uint32(8)).astype(numpy.float64) / 2**24


def by_rule(name: str, shape: tuple) -> torch.Tensor:
    count = math.prod(shape)
    u = value_hash(name, count)
    if name.endswith((".weight", "_weight")) and len(shape) > 1:
        values = (2 * u - 1) * math.sqrt(6 / math.prod(shape[1:]))
    elif name.endswith((".weight", ".gamma", ".running_var")):
        values = 0.5 + u
    elif name == "images":
        # The second image has nine times the contrast: noise of one strength looks alike to a pooling network.
        values = (2 * u - 1) * numpy.repeat(numpy.arange(1, 2 * shape[0], 2), count // shape[0]) ** 2
    else:
        values = (2 * u - 1) / 2
    return torch.from_numpy(values.astype(numpy.float32).reshape(shape))


def state(model: torch.nn.Module) -> dict:
    return {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}


def digest(lines: list) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def create(name: str, **options) -> torch.nn.Module:
    base, more = BUILT.get(name, (name, {}))
    model = timm.create_model(base, **options, **more)
    return model.eval()


def describe(name: str) -> dict:
    model = create(name)
    config = model.pretrained_cfg
    tensors = sorted(f"{key} {'x'.join(map(str, value.shape))}" for key, value in state(model).items())
    layers = [key for key, m in model.named_modules() if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear))]
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "tensors": len(tensors),
        "tensorsHash": digest(tensors),
        "layers": len(layers),
        "layersHash": digest(layers),
        "mean": list(config["mean"]),
        "std": list(config["std"]),
        "cropPct": config["crop_pct"],
        "interpolation": config["interpolation"],
        "size": config["input_size"][-1],
        **logits_of(name, 96 if "patch32" in name else 64, 3),
        "grey": logits_of(name, 32, 1) if name in GREY else None,
    }


def logits_of(name: str, size: int, channels: int) -> dict:
    sized = {"img_size": size} if "patch" in name else {}
    model = create(name, num_classes=CLASSES, in_chans=channels, **sized)
    missing, unexpected = model.load_state_dict(
        {k: by_rule(k, tuple(v.shape)) for k, v in state(model).items()}, strict=False
    )
    assert not unexpected and all(k.endswith("num_batches_tracked") for k in missing)
    with torch.no_grad():
        logits = model(by_rule("images", (IMAGES, channels, size, size)))
    # What does not depend on the images would prove nothing.
    apart = (logits[0] - logits[1]).abs().max() / logits.abs().max()
    assert apart > 0.05, f"{name}: logits of different images differ by {apart} of their size"
    return {"edge": size, "logits": [float(f"{v:.8g}") for v in logits.flatten().tolist()]}


if __name__ == "__main__":
    target = Path(__file__).parents[1] / "fixtures" / "architectures.json"
    golden = {name: describe(name) for name in NAMES}
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(about)}" for name, about in golden.items())
    target.write_text(f"{{\n{lines}\n}}\n")
    print(f"timm {timm.__version__}, torch {torch.__version__}: {len(golden)} architectures")
