#!/usr/bin/env python3
"""Layers and blocks that are skipped or give their mean, as PyTorch does it with forward hooks, and as graphs made by hand.

    python test/oracle/make_activation_golden.py FOLDER    # needs torch, timm, onnx, onnxruntime, numpy

FOLDER is test/fixtures/activations. For a ResNet with BatchNorm, a vision transformer and a ConvNeXt, all small: NAME.onnx and
NAME.json with the logits of the images in images.npy, untouched and under every reset. `skip` of a module returns its input; of a
residual block of the ResNet it makes zeros of the branch, so that the shortcut, which may have a projection, is left. `mean` returns
the mean over all images and all axes but that of the channels.

demo.json has the logits of examples/fashion/resnet.onnx, in which one residual block's sum was replaced by its shortcut, by
onnx alone, for the first images of its file.
"""
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import timm
import torch
from torch import nn

from cascades import LAYERS, lively
from exporting import export, logits

IMAGES, CLASSES, SIZE, SEED, DEMO_IMAGES = 4, 7, 32, 23, 6

MODELS = {
    "resnet": lambda: timm.models.ResNet(timm.models.resnet.BasicBlock, [2, 1, 1, 2], num_classes=CLASSES, stem_width=8,
                                         channels=[4, 6, 6, 8]),
    "vit": lambda: timm.models.VisionTransformer(img_size=SIZE, patch_size=8, embed_dim=16, depth=2, num_heads=2,
                                                 num_classes=CLASSES, init_values=0.7),
    "convnext": lambda: timm.models.ConvNeXt(depths=(1, 2, 1, 1), dims=(4, 4, 8, 8), num_classes=CLASSES, ls_init_value=0.5),
}
BLOCKS = (timm.models.resnet.BasicBlock, timm.models.vision_transformer.Block, timm.models.convnext.ConvNeXtBlock)
PARTS = (timm.models.vision_transformer.Attention, timm.layers.Mlp)


def hooked(model, images, module, hook):
    handle = module.register_forward_hook(hook)
    found = logits(model, images)
    handle.remove()
    return found


def given(model, images, module):
    """What goes into a module, and what comes out."""
    seen = []
    hooked(model, images, module, lambda _, inputs, output: seen.append((inputs[0], output)))
    return seen[0]


def resets_of(model, images, module, last):
    """The logits with a module skipped, null where its input and output differ in shape, and with its mean."""
    before, after = given(model, images, module)
    other = [axis for axis in range(after.dim()) if axis != (after.dim() - 1 if last else 1)]
    mean = after.mean(dim=other, keepdim=True)
    same = before.shape == after.shape
    return {"skip": hooked(model, images, module, lambda _, inputs, __: inputs[0]) if same else None,
            "mean": hooked(model, images, module, lambda _, __, output: mean.expand_as(output).contiguous())}


def answers(model, images):
    named = {name: module for name, module in model.named_modules()}
    rows = lambda module: isinstance(module, (nn.Linear, timm.models.vision_transformer.Block))
    found = {"logits": logits(model, images), "layer": {}, "block": {}, "part": {}}
    for name, module in named.items():
        if isinstance(module, LAYERS):
            found["layer"][name] = resets_of(model, images, module, rows(module))
        elif isinstance(module, BLOCKS):
            found["block"][name] = resets_of(model, images, module, rows(module))
            if isinstance(module, timm.models.resnet.BasicBlock):
                # The last module of the branch.
                zeros = hooked(model, images, module.bn2, lambda _, __, output: torch.zeros_like(output))
                found["block"][name]["skip"] = zeros
        elif isinstance(module, PARTS) and "blocks" in name and not name.startswith("stages"):
            found["part"][name] = {
                "skip": hooked(model, images, module, lambda _, __, output: torch.zeros_like(output)),
                "mean": resets_of(model, images, module, True)["mean"]}
    return found


def demo(path, images):
    """By the name of a block: its sum becomes what is added to the branch."""
    found = {}
    run = lambda graph: onnxruntime.InferenceSession(graph.SerializeToString()).run(None, {"images": images})[0].tolist()
    for node in onnx.load(path).graph.node:
        if node.op_type != "Add":
            continue
        changed = onnx.load(path)
        [add] = [one for one in changed.graph.node if one.name == node.name]
        [shortcut] = [name for name in add.input if "bn2" not in name]
        at = list(changed.graph.node).index(add)
        changed.graph.node.remove(add)
        changed.graph.node.insert(at, onnx.helper.make_node("Identity", [shortcut], list(add.output), name="shortcut"))
        onnx.checker.check_model(changed)
        found[node.name.split("/")[2]] = run(changed)
    return {"logits": run(onnx.load(path)), "skip": found}


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    images = torch.randn(IMAGES, 3, SIZE, SIZE, generator=generator)
    np.save(folder / "images.npy", images.numpy())
    for name, build in MODELS.items():
        model = build().eval()
        lively(model, generator)
        export(model, images, folder / f"{name}.onnx")
        (folder / f"{name}.json").write_text(json.dumps(answers(model, images)) + "\n")
    fashion = Path(__file__).parents[2] / "examples" / "fashion"
    pixels = np.load(fashion / "images.npz")["images"][:DEMO_IMAGES].astype(np.float32)[:, None] / 255
    np.save(folder / "demo.npy", pixels)
    (folder / "demo.json").write_text(json.dumps(demo(fashion / "resnet.onnx", pixels)) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
