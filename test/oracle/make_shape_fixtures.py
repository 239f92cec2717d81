#!/usr/bin/env python3
"""Make test/fixtures/shapes: one small network saved in each shape that published checkpoints have.

    python test/oracle/make_shape_fixtures.py     # needs torch, numpy

The networks are make_onnx_fixtures.py's with the weights of another seed. shapes.json has PyTorch's logits for NAME.npy's
images, by file where the saved weights are not just those of the network.
"""
import argparse
import collections
import functools
import json
import sys
import types

import numpy as np
import torch
from torch.nn.utils import parametrizations

from make_checkpoint_fixtures import prefixed, trained
from make_onnx_fixtures import OUT, logits

FOLDER = OUT / "shapes"


def own_class():
    """An object of a class that no reader knows, saved by reference."""
    module = types.ModuleType("robustness_tools")
    module.Recipe = type("Recipe", (), {"__module__": "robustness_tools", "__qualname__": "Recipe"})
    sys.modules["robustness_tools"] = module
    recipe = module.Recipe()
    recipe.epochs = 90
    return recipe


def renamed(state, names):
    return collections.OrderedDict((names[key], value) for key, value in state.items() if key in names)


def noise(state):
    """Other weights of the same shapes: what must not be taken."""
    return collections.OrderedDict((key, torch.randn_like(value)) for key, value in state.items()
                                   if value.is_floating_point())


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(7)
    images = {name: torch.from_numpy(np.load(OUT / f"{name}.npy")) for name in ("mlp", "bottleneck")}
    answers = {name: logits(trained(name), images[name]) for name in images}

    def save(file, value, **options):
        torch.save(value, FOLDER / file, **options)

    small, net = trained("mlp").state_dict(), trained("bottleneck").state_dict()
    body = {key: value for key, value in small.items() if key.startswith("fc1")}
    head = {key.removeprefix("fc2."): value for key, value in small.items() if key.startswith("fc2")}
    save("nested.pth", {"epoch": 3, "model": {"state_dict": small}})
    save("module.pth", {"state_dict": prefixed(small, "module.")})
    save("namespace.pth", {"args": argparse.Namespace(lr=0.1), "state_dict": small})
    save("legacy.pth", {"model_state_dict": small}, _use_new_zipfile_serialization=False)
    save("backbone.pth", {"online_backbone": prefixed(body, "module.")})
    save("head.pth", {"state_dict": prefixed(head, "module.linear.")})
    save("encoder-head.pth", {"model": {**prefixed(body, "encoder.module."), **prefixed(head, "head.2."),
                                        "head.0.weight": torch.ones(16), "head.0.bias": torch.ones(16)}})
    save("prototypes.pth", {**prefixed(body, "module."), "module.projection_head.0.weight": torch.randn(8, 16),
                            "module.projection_head.0.bias": torch.randn(8), "module.prototypes.weight": torch.randn(30, 8)})
    save("attacker.pth", {"model": {**prefixed(small, "module.model."), **prefixed(noise(small), "module.attacker.model."),
                                    "module.normalizer.new_mean": torch.zeros(3, 1, 1),
                                    "module.normalizer.new_std": torch.ones(3, 1, 1),
                                    "module.attacker.normalize.new_mean": torch.zeros(3, 1, 1)}})
    auxiliary = {key.replace("bn1.", "bn1.aux_bn."): torch.randn_like(value) for key, value in net.items()
                 if "bn1." in key and value.is_floating_point()}
    save("auxiliary.pth", {"state_dict": prefixed({**net, **auxiliary}, "module.")})
    save("unknown.pth", {"state_dict": small, "recipe": own_class(),
                         "optimizer": functools.partial(torch.optim.SGD, lr=0.1)})
    save("tensorflow.pth", {"resnet": renamed(small, {"fc1.weight": "net.1.dense.weight", "fc1.bias": "net.1.dense.bias",
                                                      "fc2.weight": "net.2.dense.weight", "fc2.bias": "net.2.dense.bias"})})
    def simclr(key):
        for block in range(2):
            key = key.replace(f"layer1.{block}.", f"net.1.blocks.{block}.")
        if not key.startswith("net.1"):
            return key.replace("conv1.", "net.0.0.").replace("bn1.", "net.0.1.0.")
        for i in (1, 2, 3):
            key = key.replace(f".conv{i}.", f".net.{2 * i - 2}.").replace(f".bn{i}.", f".net.{2 * i - 1}.0.")
        return key.replace("downsample.0.", "projection.shortcut.").replace("downsample.1.", "projection.bn.0.")

    save("simclr.pth", {"resnet": {simclr(key): value for key, value in net.items()},
                        "head": {"layers.0.weight": torch.ones(4, 4)}})
    half = {key: value.half() for key, value in small.items()}
    save("half.pth", {"state_dict": half})
    rounded = trained("mlp")
    rounded.load_state_dict({key: value.float() for key, value in half.items()})
    answers["half.pth"] = logits(rounded, images["mlp"])

    for file, norms in (("norm-hooks.pth", torch.nn.utils), ("norm-parametrisations.pth", parametrizations)):
        model = trained("bottleneck")
        norms.weight_norm(model.fc, dim=None)
        norms.weight_norm(model.conv1, dim=0)
        norms.weight_norm(model.layer1[0].conv1, dim=1)
        norms.spectral_norm(model.layer1[0].conv2, n_power_iterations=3)
        norms.spectral_norm(model.layer1[1].conv2, dim=1)
        with torch.no_grad():
            scales = [value for key, value in model.named_parameters() if key.endswith(("_g", "original0"))]
            for value in scales:
                value.mul_(torch.rand_like(value) + 0.5)
        model.train()
        model(images["bottleneck"])
        model.eval()
        save(file, {"state_dict": model.state_dict()})
        answers[file] = logits(model, images["bottleneck"])
    for path in FOLDER.iterdir():
        path.chmod(0o644)
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in answers.items()]
    (FOLDER / "shapes.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(sum(path.stat().st_size for path in FOLDER.iterdir()), "bytes")


if __name__ == "__main__":
    main()
