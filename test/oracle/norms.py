#!/usr/bin/env python3
"""Norms, and parts of fused queries, keys and values, reset as PyTorch does it.

    python test/oracle/norms.py FOLDER CASCADES  # needs torch, timm, onnx, numpy; test/fixtures/norms test/fixtures/cascades

For the networks of cascades.py, whose ONNX files and images are used, and one with the other kinds of norms (GroupNorm,
InstanceNorm, a LayerNorm written out by an exporter of an older opset, RMSNorm) and torch.nn.MultiheadAttention:
NAME.json has the logits with one norm at a time fresh (`reset_parameters` and `reset_running_stats`), zero (scale and
shift), from the donor with its statistics, and a quarter its own; with the rows of one of q, k and v from the donor; and
with each layer and the norm right behind it from the donor. NAME.safetensors is that donor: other norms, statistics,
and weights of all layers.
"""
import copy
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from safetensors.torch import save_file
from torch import nn

import cascades
from exporting import logits

SEED, SIZE, CLASSES = 19, 8, 5


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def reset_parameters(self):
        nn.init.ones_(self.weight)

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


NORMS = (nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm2d, RMSNorm)


class Kinds(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.gn = nn.GroupNorm(2, 8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.inorm = nn.InstanceNorm2d(8, affine=True)
        self.ln = nn.LayerNorm(8)
        self.attn = nn.MultiheadAttention(8, 2, batch_first=True)
        self.rms = RMSNorm(8)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x):
        x = torch.relu(self.gn(self.conv1(x)))
        x = torch.relu(self.inorm(self.conv2(x))).flatten(2).transpose(1, 2)
        y = self.ln(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        return self.head(self.rms(x).mean(1))


def lively(model, generator):
    for module in model.modules():
        if isinstance(module, NORMS):
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
            if getattr(module, "bias", None) is not None:
                module.bias.data.normal_(0, 0.3, generator=generator)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3, generator=generator)
            module.running_var.uniform_(0.4, 1.6, generator=generator)
        for name, weight in module.named_parameters(recurse=False):
            if not isinstance(module, NORMS) and weight.dim() > 1 and name.endswith("weight"):
                weight.data.normal_(0, 1.4 / weight[0].numel() ** 0.5, generator=generator)
            elif not isinstance(module, NORMS) and name.endswith("bias"):
                weight.data.normal_(0, 0.3, generator=generator)


def stored(path):
    """The file's tensors by their names, as PyTorch's parameters are called."""
    return {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in onnx.load(str(path)).graph.initializer}


def fused(model):
    """Names of weight and bias of each fused layer, by what critmap calls it."""
    found = {}
    for name in dict(model.named_parameters()):
        if name.endswith(".attn.qkv.weight"):
            found[name.removesuffix(".weight")] = (name, name.removesuffix("weight") + "bias")
        elif name.endswith("in_proj_weight"):
            found[name.removesuffix("_weight")] = (name, name.removesuffix("weight") + "bias")
    return found


def behind(model, name):
    """The norm right behind a layer, by the names that these networks have."""
    twin = {"conv1": "bn1", "conv2": "bn2", "downsample.0": "downsample.1"}
    last = [end for end in twin if name == end or name.endswith("." + end)]
    norms = {n for n, module in model.named_modules() if isinstance(module, NORMS)}
    named = [name.removesuffix(last[0]) + twin[last[0]]] if last else []
    named += {"conv1": ["gn"], "conv2": ["inorm"]}.get(name, [])
    if name.endswith("conv_dw"):
        named.append(name.removesuffix("conv_dw") + "norm")
    if name == "stem.0":
        named.append("stem.1")
    return next((one for one in named if one in norms), None)


def answers(model, donor, images):
    def asked(change):
        changed = copy.deepcopy(model)
        change(changed)
        return logits(changed, images)

    def fresh(module):
        module.reset_parameters()
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()

    def zero(module):
        for one in module.parameters():
            nn.init.zeros_(one)

    def mixed(module, other, own):
        state, theirs = module.state_dict(), other.state_dict()
        module.load_state_dict({key: (1 - own) * theirs[key] + own * value if value.is_floating_point() else value
                                for key, value in state.items()})

    norms, parts, together = {}, {}, {}
    for name in cascades.called(model, images, NORMS):
        other = donor.get_submodule(name)
        norms[name] = {"fresh": asked(lambda m: fresh(m.get_submodule(name))),
                       "zero": asked(lambda m: zero(m.get_submodule(name))),
                       "donor": asked(lambda m: mixed(m.get_submodule(name), other, 0)),
                       "quarter": asked(lambda m: mixed(m.get_submodule(name), other, 0.25))}
    theirs = donor.state_dict()
    for name, tensors in fused(model).items():
        for i, part in enumerate("qkv"):
            def rows(changed):
                for one in tensors:
                    own = changed.state_dict()[one]
                    third = len(own) // 3
                    own[i * third:(i + 1) * third] = theirs[one][i * third:(i + 1) * third]
            parts[f"{name}.{part}"] = asked(rows)
    for name in cascades.called(model, images, (nn.Conv2d, nn.Linear)):
        norm = behind(model, name)
        if norm:
            def both(changed):
                for one in (name, norm):
                    mixed(changed.get_submodule(one), donor.get_submodule(one), 0)
            together[name] = {"norm": norm, "logits": asked(both)}
    return {"logits": logits(model, images), "norms": norms, "parts": parts, "together": together}


def write(folder, name, model, images, generator):
    donor = copy.deepcopy(model)
    lively(donor, generator)
    save_file({key: value.clone() for key, value in donor.state_dict().items() if value.is_floating_point()},
              folder / f"{name}.safetensors")
    (folder / f"{name}.json").write_text(json.dumps(answers(model, donor, images)) + "\n")


def main(folder, networks):
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    images = torch.from_numpy(np.load(networks / "images.npy"))
    for name, build in cascades.MODELS.items():
        model = build().eval()
        own = stored(networks / f"{name}.onnx")
        model.load_state_dict({key: own.get(key, value) for key, value in model.state_dict().items()})
        there = json.loads((networks / f"{name}.json").read_text())["logits"]
        assert np.allclose(logits(model, images), there, atol=1e-5), name
        write(folder, name, model, images, generator)
    images = torch.randn(3, 3, SIZE, SIZE, generator=generator)
    np.save(folder / "images.npy", images.numpy())
    model = Kinds().eval()
    lively(model, generator)
    # Opset 16 has no LayerNormalization.
    torch.onnx.export(model, (images[:2],), str(folder / "kinds.onnx"), dynamo=False, opset_version=16,
                      training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
                      input_names=["images"], output_names=["logits"],
                      dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}})
    write(folder, "kinds", model, images, generator)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
