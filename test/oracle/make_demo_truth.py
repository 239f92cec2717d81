#!/usr/bin/env python3
"""Write test/fixtures/demo-truth.json: the criticality of the example model's layers, known to some tenths of a point.

    pip install torch==2.13.0 numpy onnx==1.23.1     (CPU)
    python test/oracle/make_demo_truth.py [ROUNDS]

The published algorithm in PyTorch, with the network of examples/fashion/train.py: a draw takes a layer's weight (and bias)
from timm's initialisation of ResNets, eight of the 1,000 shipped images go through the model, and the softmax outputs are
compared with the untouched model's. ROUNDS (64) times every image has a draw: 8,000 draws and 64,000 images a layer. For
every layer: [criticality in percent, its standard error, agreement in percent, its standard error], over all draws that there
could be and these 1,000 images; errors are those of the rounds' means.
"""
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional as F

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples" / "fashion"))
from train import ResNet  # noqa: E402

PER_DRAW = 8


def load(quiet=False):
    file = onnx.load(ROOT / "examples" / "fashion" / "resnet.onnx")
    stored = {t.name: torch.from_numpy(onnx.numpy_helper.to_array(t).copy()) for t in file.graph.initializer}
    model = ResNet()
    missing = model.load_state_dict(stored, strict=False)
    if not quiet:
        print(missing)
    about = {one.key: json.loads(one.value) for one in file.metadata_props}
    images = np.load(ROOT / "examples" / "fashion" / "images.npz")["images"]
    scaled = (torch.from_numpy(images)[:, None].float() / 255 - about["critmap.mean"][0]) / about["critmap.std"][0]
    return model.eval(), scaled


def draw(module):
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    else:
        module.reset_parameters()


@torch.inference_mode()
def main(rounds=64):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, images = load()
    original = model(images).softmax(1).double()
    layers = {name: m for name, m in model.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))}
    found = {}
    for name, module in layers.items():
        kept = {key: value.clone() for key, value in module.state_dict().items()}
        means = []
        for _ in range(rounds):
            cosine, agreed = 0.0, 0
            for batch in torch.randperm(len(images)).split(PER_DRAW):
                draw(module)
                changed = model(images[batch]).softmax(1).double()
                cosine += F.cosine_similarity(original[batch], changed, dim=1).sum().item()
                agreed += (original[batch].argmax(1) == changed.argmax(1)).sum().item()
            means.append((100 * (1 - cosine / len(images)), 100 * agreed / len(images)))
        module.load_state_dict(kept)
        assert torch.equal(model(images).softmax(1).double(), original)
        mean, error = np.mean(means, axis=0), np.std(means, axis=0, ddof=1) / np.sqrt(rounds)
        found[name] = [round(float(v), 4) for pair in zip(mean, error) for v in pair]
        print(name, found[name], flush=True)
    head = f' "draws": {rounds * len(images) // PER_DRAW}, "imagesPerDraw": {PER_DRAW},\n "layers": {{\n'
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(values)}" for name, values in found.items())
    (ROOT / "test" / "fixtures" / "demo-truth.json").write_text(f"{{\n{head}{lines}\n }}\n}}\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
