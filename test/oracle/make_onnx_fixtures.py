#!/usr/bin/env python3
"""Make the small random-weight ONNX models, and PyTorch's answers for them, in test/fixtures.

    python test/oracle/make_onnx_fixtures.py     # needs torch, onnx, onnxscript and numpy

For each NAME: NAME.onnx (TorchScript exporter, nothing folded), NAME.dynamo.onnx (the newer
exporter, weights inline), NAME.npy (four input images, float32) and NAME.json (the layers in module
order and PyTorch's logits). `vit` and `bottleneck` also come as NAME.folded.onnx: the TorchScript
exporter's own defaults, which fold BatchNorm into Conv and transpose MatMul weights under made-up
names. They come as NAME.dynamo-plain.onnx too: the newer exporter without its optimiser, which by
default folds BatchNorm into Conv (keeping the Conv's names) and transposes MatMul weights. `bottleneck`
comes with external data and with a donor (the same model, another seed) as well.
"""
import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx.reference import ReferenceEvaluator
from torch import nn
from torch.nn import functional as F

import exporting
from exporting import logits

OUT = Path(__file__).resolve().parent.parent / "fixtures"
IMAGES = 4


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, outputs, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                                            nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class BottleneckNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(Bottleneck(8, 4, 16, stride=2), Bottleneck(16, 4, 16))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(16, 7)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.fc(torch.flatten(self.avgpool(self.layer1(x)), 1))


class SqueezeExcite(nn.Module):
    def __init__(self, channels, squeezed):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x):
        scale = self.fc2(F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1))))
        return x * torch.sigmoid(scale)


class Depthwise(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.depthwise = nn.Conv2d(8, 8, 3, 1, 1, groups=8)
        self.se = SqueezeExcite(8, 4)
        self.grouped = nn.Conv2d(8, 12, 3, 2, 1, groups=4)
        self.fc = nn.Linear(12, 5)

    def forward(self, x):
        x = F.silu(self.stem(x))
        x = self.se(F.silu(self.depthwise(x)))
        x = F.silu(self.grouped(x))
        return self.fc(x.mean((2, 3)))


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        n, tokens, width = x.shape
        qkv = self.qkv(x).reshape(n, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        weights = (q * (width // self.heads) ** -0.5 @ k.transpose(-2, -1)).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(n, tokens, width))


class Mlp(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, 2 * width)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.proj = nn.Conv2d(3, width, 4, 4)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class Vit(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.cls_token = nn.Parameter(torch.randn(1, 1, width))
        self.pos_embed = nn.Parameter(torch.randn(1, 17, width))
        self.patch_embed = PatchEmbed(width)
        self.blocks = nn.Sequential(Block(width, 2))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 6)

    def forward(self, x):
        x = self.patch_embed(x)
        x = torch.cat((self.cls_token.expand(x.shape[0], -1, -1), x), 1) + self.pos_embed
        return self.head(self.norm(self.blocks(x))[:, 0])


class Tied(nn.Module):
    """fc2 uses fc1's weight, with a bias of its own."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(16, 16)
        self.fc2 = nn.Linear(16, 16)
        self.fc2.weight = self.fc1.weight
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        x = torch.relu(self.fc1(torch.flatten(x, 1)))
        return self.head(torch.relu(self.fc2(x)))


class FlatMlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(64, 16)
        self.fc2 = nn.Linear(16, 10)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(self.flatten(x))))


MODELS = {"bottleneck": (BottleneckNet, (3, 32, 32), 11), "depthwise": (Depthwise, (3, 16, 16), 12),
          "vit": (Vit, (3, 16, 16), 13), "tied": (Tied, (1, 4, 4), 14), "mlp": (FlatMlp, (1, 8, 8), 15)}
DONOR_SEED, DONOR_LAYER = 111, "layer1.0.conv2"


def build(make, seed):
    """A model with random weights, whose norms are far from the identity too."""
    torch.manual_seed(seed)
    model = make().eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.3, 0.3)
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.3, 0.3)
                module.running_var.uniform_(0.5, 1.5)
    return model


def export(model, shape, path, **options):
    exporting.export(model, torch.zeros(2, *shape), path, **options)
    scrub(path)


def scrub(path):
    """Drop what the exporters note about the machine: stack traces and file paths."""
    stored = onnx.load(str(path))
    graphs = [stored.graph, *stored.functions]
    for graph in graphs:
        for node in graph.node:
            node.doc_string = ""
            del node.metadata_props[:]
        del graph.metadata_props[:]
        for value in getattr(graph, "value_info", []):
            del value.metadata_props[:]
    for value in (*stored.graph.input, *stored.graph.output, *stored.graph.initializer):
        del value.metadata_props[:]
    onnx.checker.check_model(stored)
    onnx.save(stored, str(path))


def layers(model):
    rows, owners = [], {}
    for name, module in model.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            row = {"name": name, "type": type(module).__name__, "weight_shape": list(module.weight.shape),
                   "bias": module.bias is not None, "groups": getattr(module, "groups", 1)}
            owner = owners.setdefault(id(module.weight), name)
            if owner != name:
                row["shares"] = owner
            rows.append(row)
    return rows


def check(path, images, expected):
    """The file, run by the onnx package's reference evaluator, gives PyTorch's logits."""
    got = ReferenceEvaluator(str(path)).run(None, {"images": images.numpy()})[0]
    worst = float(np.abs(got - np.array(expected)).max())
    assert worst < 1e-4, (path.name, worst)
    print(f"{path.name}: {path.stat().st_size} bytes, furthest from PyTorch {worst:.1e}")


def main():
    warnings.filterwarnings("ignore")
    OUT.mkdir(parents=True, exist_ok=True)
    for name, (make, shape, seed) in MODELS.items():
        model = build(make, seed)
        images = torch.randn(IMAGES, *shape, generator=torch.Generator().manual_seed(seed))
        images *= torch.arange(1.0, IMAGES + 1)[:, None, None, None]   # or their logits are much alike
        np.save(OUT / f"{name}.npy", images.numpy())
        expected = logits(model, images)
        files = {"torchscript": f"{name}.onnx", "dynamo": f"{name}.dynamo.onnx"}
        export(model, shape, OUT / files["torchscript"])
        export(model, shape, OUT / files["dynamo"], dynamo=True)
        if name in ("bottleneck", "vit"):
            files["folded"] = f"{name}.folded.onnx"
            export(model, shape, OUT / files["folded"], folded=True)
            files["dynamoPlain"] = f"{name}.dynamo-plain.onnx"
            export(model, shape, OUT / files["dynamoPlain"], dynamo=True, optimize=False)
        answer = {"input": [1, *shape], "layers": layers(model), "images": f"{name}.npy", "logits": expected}

        if name == "bottleneck":
            files["external"] = f"{name}.external.onnx"
            (OUT / f"{name}.external.data").unlink(missing_ok=True)
            onnx.save_model(onnx.load(str(OUT / files["torchscript"])), str(OUT / files["external"]),
                            save_as_external_data=True, location=f"{name}.external.data", size_threshold=128)
            (OUT / f"{name}.external.data").chmod(0o644)
            donor = build(make, DONOR_SEED)
            export(donor, shape, OUT / f"{name}-donor.onnx")
            check(OUT / f"{name}-donor.onnx", images, logits(donor, images))
            mixed = build(make, seed)
            mixed.get_submodule(DONOR_LAYER).weight.data.copy_(donor.get_submodule(DONOR_LAYER).weight)
            answer["donor"] = {DONOR_LAYER: logits(mixed, images)}

        for file in files.values():
            check(OUT / file, images, expected)
        answer["files"] = files
        lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in answer.items()]
        (OUT / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
