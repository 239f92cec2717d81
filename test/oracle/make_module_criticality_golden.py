#!/usr/bin/env python3
"""Write test/fixtures/module-criticality.json: Chatterji's module criticality of the example's network, in PyTorch.

    python test/oracle/make_module_criticality_golden.py     # needs torch, onnx, node and a build

Chatterji, Neyshabur and Sedghi (2020, arXiv:1912.00528): of a module with trained weights F and initial weights 0, the least
alpha^2 |F - 0|^2 / sigma^2 over 0 <= alpha, sigma <= 1 for which the mean loss over u ~ N(0, sigma^2) of the network with
(1 - alpha) 0 + alpha F + u in that module stays within a threshold. Here of four modules, on a grid, with three draws of u that
all see the same 60 images. The noise is critmap's own, so that both look at the same weights; all else is PyTorch's.
"""
import hashlib
import itertools
import json
import subprocess
from pathlib import Path

import numpy as np
import onnx
import torch
from torch.nn import functional as F

from make_demo_truth import ROOT, load

MODULES = ["conv1", "layer2.0.downsample.0", "layer3.0.conv1", "fc"]
ALPHAS, SIGMAS, DRAWS, IMAGES = [0.0, 0.4, 1.0], [0.005, 0.02, 0.1, 0.3], 3, 60
THRESHOLDS = {"error": 3.0, "loss": 0.05, "agreement": 2.0}


def key(layer, parameter, draw):
    text = "\0".join(["critmap", "0", layer, parameter, str(draw)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def critmaps_own(wanted):
    """The sample's indices, and the standard normals of each key."""
    lines = "\n".join(f"{k} {count}" for k, count in wanted)
    node = ["node", str(ROOT / "test" / "oracle" / "standard_normals.mjs")]
    out = subprocess.run(node, input=lines.encode(), stdout=subprocess.PIPE, check=True).stdout
    numbers = np.frombuffer(out, "<f4")
    normals = np.split(numbers[IMAGES:], np.cumsum([count for _, count in wanted]))[:-1]
    return np.frombuffer(out[:4 * IMAGES], "<u4").astype(np.int64), normals


@torch.inference_mode()
def main():
    torch.set_num_threads(1)
    model, images = load(quiet=True)
    file = onnx.load(ROOT / "examples" / "fashion" / "resnet-init.onnx")
    initial = {t.name: torch.from_numpy(onnx.numpy_helper.to_array(t).copy()) for t in file.graph.initializer}
    trained = {k: v.clone() for k, v in model.state_dict().items()}
    names = {m: [n for n in (f"{m}.weight", f"{m}.bias") if n in trained] for m in MODULES}
    draws = [(m, n, t) for m in MODULES for n in names[m] for t in range(DRAWS)]
    wanted = [(key(m, n.rsplit(".", 1)[1], t), trained[n].numel()) for m, n, t in draws]
    indices, normals = critmaps_own(wanted)
    noise = {draw: torch.from_numpy(z.copy()).reshape(trained[draw[1]].shape) for draw, z in zip(draws, normals)}
    images = images[indices]
    labels = torch.from_numpy(np.load(ROOT / "examples" / "fashion" / "images.npz")["labels"].astype(np.int64))[indices]

    untouched = model(images)

    def losses():
        logits = model(images)
        return {"error": 100 * (logits.argmax(1) != labels).double().mean().item(),
                "loss": F.cross_entropy(logits.double(), labels).item(),
                "agreement": 100 * (logits.argmax(1) != untouched.argmax(1)).double().mean().item()}

    most = {kind: value + THRESHOLDS[kind] for kind, value in losses().items()}
    found = {"draws": DRAWS, "images": IMAGES, "alphas": ALPHAS, "sigmas": SIGMAS, "thresholds": THRESHOLDS,
             "untouched": losses(), "modules": {}}
    for module in MODULES:
        square = sum(((trained[n].double() - initial[n].double()) ** 2).sum().item() for n in names[module])
        points = []
        for alpha, sigma in itertools.product(ALPHAS, SIGMAS):
            drawn = []
            for t in range(DRAWS):
                for n in names[module]:
                    mixed = torch.tensor(1 - alpha, dtype=torch.float32) * initial[n] + torch.tensor(alpha, dtype=torch.float32) * trained[n]
                    model.state_dict()[n].copy_(mixed + torch.tensor(sigma, dtype=torch.float32) * noise[module, n, t])
                drawn.append(losses())
            points.append({"value": alpha ** 2 * square / sigma ** 2,
                           **{kind: round(float(np.mean([one[kind] for one in drawn])), 9) for kind in most}})
        for n in names[module]:
            model.state_dict()[n].copy_(trained[n])
        least = {}
        for kind in most:
            fitting = [p["value"] for p in points if p[kind] <= most[kind] + 1e-9]
            least[kind] = min(fitting) if fitting else None
        found["modules"][module] = {"distance": square ** 0.5, "points": points, "least": least}
        print(module, least, flush=True)
    (ROOT / "test" / "fixtures" / "module-criticality.json").write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
