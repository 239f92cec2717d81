#!/usr/bin/env python3
"""Make the small checkpoints in test/fixtures/weights, and PyTorch's answers for them.

    python test/oracle/make_checkpoint_fixtures.py     # needs torch, numpy, safetensors

All hold the models of make_onnx_fixtures.py with the weights of another seed (DONOR_SEED), saved as people save
them. weights.json says what PyTorch makes of them: logits of NAME.npy's images.
"""
import argparse
import collections
import datetime
import json
import pathlib
import zipfile

import numpy as np
import torch
from safetensors.torch import save_file

from make_onnx_fixtures import DONOR_SEED, MODELS, OUT, build, logits

FOLDER = OUT / "weights"


def trained(name):
    """The model with other weights, and counters that are not zero."""
    model = build(MODELS[name][0], DONOR_SEED)
    for key, value in model.state_dict().items():
        if key.endswith("num_batches_tracked"):
            value.fill_(1234)
    return model


def prefixed(state, prefix):
    return collections.OrderedDict((prefix + key, value) for key, value in state.items())


def extras():
    """What training scripts keep beside the weights."""
    return {"epoch": 90, "arch": "resnet50", "best_acc1": torch.tensor(76.5), "loss": np.float64(0.25),
            "history": np.arange(3), "args": argparse.Namespace(lr=0.1, data=pathlib.PurePosixPath("imagenet")),
            "saved": datetime.datetime(2024, 1, 2), "device": torch.device("cpu"), "dtype": torch.float32,
            "sizes": torch.Size([1, 2]), "seen": {1, 2}, "none": None, "big": 2 ** 70, "flag": True}


def optimiser(model):
    parameters = list(model.parameters())
    sgd = torch.optim.SGD(parameters, lr=0.1, momentum=0.9)
    sum(p.sum() for p in parameters).backward()
    sgd.step()
    return sgd.state_dict()


def compressed(path):
    """The same zip file with its entries deflated."""
    with zipfile.ZipFile(path) as plain:
        entries = [(info.filename, plain.read(info)) for info in plain.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in entries:
            out.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)


def strided(state):
    """Every tensor as a view of one storage, matrices transposed, so that none is where it seems."""
    flat = torch.cat([torch.zeros(5)] + [value.t().reshape(-1) if value.dim() == 2 else value.reshape(-1)
                                        for value in state.values() if value.is_floating_point()])
    views, at = collections.OrderedDict(), 5
    for key, value in state.items():
        if not value.is_floating_point():
            continue
        part = flat[at:at + value.numel()]
        at += value.numel()
        views[key] = part.view(*value.shape[::-1]).t() if value.dim() == 2 else part.view(value.shape)
        assert torch.equal(views[key], value)
    return views


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    answers = {}
    for name in MODELS:
        images = torch.from_numpy(np.load(OUT / f"{name}.npy"))
        answers[name] = logits(trained(name), images)
    model = trained("bottleneck")
    state = model.state_dict()
    images = torch.from_numpy(np.load(OUT / "bottleneck.npy"))

    def save(file, value, **options):
        torch.save(value, FOLDER / file, **options)

    save_file({key: value.contiguous() for key, value in state.items()}, FOLDER / "bottleneck.safetensors",
              metadata={"format": "pt"})
    save("bottleneck.legacy.pth", state, _use_new_zipfile_serialization=False)
    save("bottleneck.strided.pth", {"model": strided(state)})
    save("vit.strided.legacy.pth", strided(trained("vit").state_dict()), _use_new_zipfile_serialization=False)
    save("tied.pth", trained("tied").state_dict())

    # The rest is about how things are wrapped, for which the smallest model serves.
    small = trained("mlp").state_dict()
    save("mlp.protocol4.pth", small, pickle_protocol=4)
    save("mlp.deflated.pth", small)
    compressed(FOLDER / "mlp.deflated.pth")
    save("mlp.pth.tar", {**extras(), "state_dict": prefixed(small, "module."), "optimizer": optimiser(trained("mlp"))})
    # Two copies: the averaged one counts.
    save("mlp.ema.ckpt", {"state_dict": build(MODELS["mlp"][0], 5).state_dict(), "state_dict_ema": small})
    save("mlp.backbone.pth", {"online_backbone": prefixed({key: small[key] for key in ("fc1.weight", "fc1.bias")},
                                                          "module.model.")})
    save("mlp.linear.pth", {"state_dict": {"module.linear.weight": small["fc2.weight"],
                                           "module.linear.bias": small["fc2.bias"]}})
    for kind in ("float16", "bfloat16", "float64"):
        cast = {key: value.to(getattr(torch, kind)) for key, value in small.items()}
        save_file(cast, FOLDER / f"mlp.{kind}.safetensors")
        save(f"mlp.{kind}.pth", cast)
        rounded = build(MODELS["mlp"][0], DONOR_SEED)
        rounded.load_state_dict({key: value.float() for key, value in cast.items()})
        answers[f"mlp.{kind}"] = logits(rounded, torch.from_numpy(np.load(OUT / "mlp.npy")))
    (FOLDER / "mlp.float64.pth").unlink()
    for path in FOLDER.iterdir():
        path.chmod(0o644)
    assert torch.allclose(torch.tensor(answers["bottleneck"]), torch.tensor(logits(model, images)))
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in answers.items()]
    (FOLDER / "weights.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(sum(path.stat().st_size for path in FOLDER.iterdir()), "bytes")


if __name__ == "__main__":
    main()
