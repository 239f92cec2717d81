#!/usr/bin/env python3
"""Write test/fixtures/predictors.json: block influence, stable rank and shares of small trained networks, by PyTorch and scipy.

    python test/oracle/make_predictor_golden.py     # needs torch, timm, onnx, numpy, scipy

The networks are those of test/fixtures/trained (timm's classes with the weights of the ONNX files), the images the 64 beside
them; and the example's, of which 20 images are sampled. Block influence (Men et al., 2024, arXiv:2403.03853): 1 - the mean cosine similarity of what a module takes and gives,
over the features at a position, where both have one shape; positions at which one is all zeros do not count. Stable rank:
|W|_F^2 / |W|_2^2 of weight.flatten(1), by scipy.linalg.svdvals. Multiply-accumulates of the ResNet by hooks. `correlation`:
scipy's spearmanr and pearsonr with their intervals, Pearson's by scipy, Spearman's by Bonett and Wright (2000).
"""
import json

import numpy as np
import onnx
import torch
from scipy import stats
from scipy.linalg import svdvals
from timm.models.resnet import BasicBlock
from timm.models.convnext import ConvNeXtBlock
from timm.models.vision_transformer import Block
from torch import nn
from torch.nn import functional as F

from make_demo_truth import load as load_example
from make_trained_golden import MEAN, NETWORKS, OUT, ROOT, STD

import common  # of the example, whose folder make_demo_truth has put on the path

BLOCKS = (BasicBlock, ConvNeXtBlock, Block, common.BasicBlock)
LAYERS = (nn.Conv2d, nn.Linear)
# Of 1,000 images with seed 0, as images.csv of a run lists them.
SAMPLE = [8, 53, 63, 77, 117, 125, 166, 464, 557, 598, 655, 739, 781, 803, 812, 885, 925, 929, 943, 970]


def influence(given, made, second):
    if given.shape != made.shape:
        return None
    axis = 1 if second and given.dim() == 4 else -1
    both = (given.double().norm(dim=axis) > 0) & (made.double().norm(dim=axis) > 0)
    return 1 - F.cosine_similarity(given.double(), made.double(), dim=axis, eps=1e-300)[both].mean().item()


def trained(name):
    model = NETWORKS[name]().eval()
    file = onnx.load(OUT / f"{name}.onnx")
    stored = {t.name: torch.from_numpy(onnx.numpy_helper.to_array(t).copy()) for t in file.graph.initializer}
    # Equal tensors are stored once, as the biases of two norms whose outputs are added.
    for node in file.graph.node:
        if node.op_type == "Identity" and node.input[0] in stored:
            stored[node.output[0]] = stored[node.input[0]]
    for key, value in model.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            value.copy_(stored[key])
    images = torch.from_numpy(np.load(OUT / "images.npz")["images"])[:, None].float().div(255).sub(MEAN).div(STD)
    return model, images


@torch.inference_mode()
def measure(name):
    # Of the example all of its 1,000 images would take long in a test: those that a sweep of 20 samples.
    model, images = load_example(quiet=True) if name == "example" else trained(name)
    if name == "example":
        images = images[SAMPLE]
    found, macs = {}, {}

    def look(name):
        def hook(module, given, made):
            second = any(isinstance(m, nn.Conv2d) for m in module.modules())
            found[name] = influence(given[0], made, second)
            if isinstance(module, LAYERS):
                macs[name] = made[0].numel() * module.weight[0].numel()
        return hook

    for key, module in model.named_modules():
        if isinstance(module, BLOCKS + LAYERS):
            module.register_forward_hook(look(key))
    model(images)
    ranks = {}
    for key, module in model.named_modules():
        if isinstance(module, LAYERS):
            values = svdvals(module.weight.double().flatten(1).numpy())
            ranks[key] = float((values ** 2).sum() / values[0] ** 2)
    parameters = {key: sum(p.numel() for p in module.parameters())
                  for key, module in model.named_modules() if isinstance(module, LAYERS)}
    share = lambda counts: {key: 100 * n / sum(counts.values()) for key, n in counts.items()}
    answer = {"influence": found, "stableRank": ranks, "parameterShare": share(parameters)}
    return answer | ({"macShare": share(macs)} if name in ("resnet", "example") else {})


def change():
    """Of the example's network from its initial weights: |W - W0| / |W0| of weight and bias."""
    load = lambda name: {t.name: onnx.numpy_helper.to_array(t).astype(np.float64)
                         for t in onnx.load(ROOT / "examples" / "fashion" / name).graph.initializer}
    trained, initial = load("resnet.onnx"), load("resnet-init.onnx")
    found = {}
    for layer in ("conv1", "layer2.0.downsample.0", "fc"):
        both = [n for n in (f"{layer}.weight", f"{layer}.bias") if n in trained]
        norm = lambda of: np.sqrt(sum((of(n) ** 2).sum() for n in both))
        found[layer] = norm(lambda n: trained[n] - initial[n]) / norm(lambda n: initial[n])
    return found


def correlation():
    x, y = [3, 1, 4, 1, 5, 9, 2, 6, 5], [2.7, 1.8, 2.8, 1.8, 2.8, 4.5, 9.0, 4.5, 2.3]
    rho, r = stats.spearmanr(x, y), stats.pearsonr(x, y)
    middle, reach = np.arctanh(rho.statistic), stats.norm.ppf(0.975) * np.sqrt((1 + rho.statistic ** 2 / 2) / (len(x) - 3))
    return {"x": x, "y": y,
            "spearman": [rho.statistic, rho.pvalue, float(np.tanh(middle - reach)), float(np.tanh(middle + reach))],
            "pearson": [r.statistic, r.pvalue, *r.confidence_interval(0.95)]}


def main():
    torch.set_num_threads(1)
    found = {name: measure(name) for name in ("resnet", "vit", "convnext", "example")}
    rounded = json.loads(json.dumps(found), parse_float=lambda text: float(f"{float(text):.9g}"))
    answer = {"networks": rounded, "change": change(), "correlation": correlation()}
    (ROOT / "test" / "fixtures" / "predictors.json").write_text(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
