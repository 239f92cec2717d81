#!/usr/bin/env python3
"""Layers reset together as PyTorch does it: modules loaded from another model, several at once.

    python test/oracle/cascades.py FOLDER     # needs torch, timm, onnx, numpy; FOLDER is test/fixtures/cascades

For a ResNet with BatchNorm, a vision transformer and a ConvNeXt, all small: NAME.onnx, NAME.donor.safetensors and NAME.json
with the logits of the images in images.npy: untouched, of the donor, and with the named modules' weights and biases (or
one of the two) from the donor. Cascades (Adebayo et al., 2018, arXiv:1810.03292) go from the output and from the input, a module more at
each step. The donor differs from the model in nothing but the weights and biases of convolutions and Linear modules, so that
the last step of a cascade is the donor.
"""
import copy
import json
import sys
from pathlib import Path

import numpy as np
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from exporting import export, logits

IMAGES, CLASSES, SIZE, SEED = 3, 7, 32, 11
LAYERS = (nn.Conv2d, nn.Linear)

MODELS = {
    "resnet": lambda: timm.models.ResNet(timm.models.resnet.BasicBlock, [1, 1, 1, 1], num_classes=CLASSES, stem_width=8,
                                         channels=[4, 8, 8, 8]),
    "vit": lambda: timm.models.VisionTransformer(img_size=SIZE, patch_size=8, embed_dim=16, depth=2, num_heads=2,
                                                 num_classes=CLASSES),
    "convnext": lambda: timm.models.ConvNeXt(depths=(1, 1, 1, 1), dims=(4, 4, 8, 8), num_classes=CLASSES, ls_init_value=0.5),
}


def lively(model, generator):
    """Weights large enough that a reset is seen, and norms that are not what they start as."""
    for module in model.modules():
        if isinstance(module, LAYERS):
            fan = module.weight[0].numel()
            module.weight.data.normal_(0, 1.4 / fan ** 0.5, generator=generator)
            if module.bias is not None:
                module.bias.data.normal_(0, 0.3, generator=generator)
        elif isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)):
            module.weight.data.uniform_(0.6, 1.4, generator=generator)
            module.bias.data.normal_(0, 0.2, generator=generator)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)


def called(model, images, kinds=LAYERS):
    """Names of modules of these kinds in the order of their calls."""
    names = []
    hooks = [module.register_forward_hook(lambda *_, name=name: names.append(name))
             for name, module in model.named_modules() if isinstance(module, kinds)]
    logits(model, images)
    for hook in hooks:
        hook.remove()
    return names


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)  # what a network draws that is not a layer's, as the positions of a transformer
    generator = torch.Generator().manual_seed(SEED)
    images = torch.randn(IMAGES, 3, SIZE, SIZE, generator=generator)
    np.save(folder / "images.npy", images.numpy())
    for name, build in MODELS.items():
        model = build().eval()
        lively(model, generator)
        donor = copy.deepcopy(model)
        for module in donor.modules():
            if isinstance(module, LAYERS):
                module.weight.data.normal_(0, 1.4 / module.weight[0].numel() ** 0.5, generator=generator)
                if module.bias is not None:
                    module.bias.data.normal_(0, 0.3, generator=generator)
        layers = called(model, images)

        def together(names, parts=("weight", "bias")):
            changed = copy.deepcopy(model)
            for one in names:
                state = donor.get_submodule(one).state_dict()
                taken = {part: state[part] for part in parts if part in state}
                changed.get_submodule(one).load_state_dict(taken, strict=False)
            return {"layers": names, "logits": logits(changed, images)}

        export(model, images, folder / f"{name}.onnx")
        save_file(donor.state_dict(), folder / f"{name}.donor.safetensors")
        steps = range(1, len(layers) + 1)
        answers = {"layers": layers, "logits": logits(model, images), "donor": logits(donor, images),
                   "fromOutput": [together(layers[-n:]) for n in steps],
                   "fromInput": [together(layers[:n]) for n in steps],
                   "pairs": [together([layers[0], one]) for one in layers[1:]],
                   # Of all layers, and of the last.
                   "parts": {part: [together(names, (part,)) for names in (layers, layers[-1:])]
                             for part in ("weight", "bias")}}
        (folder / f"{name}.json").write_text(json.dumps(answers) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
