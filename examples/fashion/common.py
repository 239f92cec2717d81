"""What the training scripts of this folder share: the data, the network, and how it is exported.

`train.py` says where the data come from and which packages are needed.
"""
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional as F

CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
           "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
HELD_OUT_PER_CLASS = 1000


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


def shift_and_mirror(batch, generator):
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
    """A stem, three stages of basic blocks, two projections and a classifier; 18 layers by default."""

    def __init__(self, widths=(12, 24, 48), depths=(2, 2, 3), classes=10, stem_stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(1, widths[0], 3, stem_stride, 1, bias=False)
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


@torch.no_grad()
def count_correct(model, images, labels):
    """How many of `images` (standardised, [n, 1, 28, 28]) get their label as the highest logit."""
    model.eval()
    parts = zip(images.split(1000), labels.split(1000))
    return sum(int((model(x).argmax(1) == y).sum()) for x, y in parts)


def normalisation(images):
    """The mean and the standard deviation of pixels in [0, 1], to four digits."""
    return round(float((images / 255).mean()), 4), round(float((images / 255).std()), 4)


def standardise(images, mean, std):
    """uint8 [n, 28, 28] to float32 [n, 1, 28, 28], as the networks take them."""
    return (torch.from_numpy(images)[:, None].float() / 255 - mean) / std
