"""The published algorithm in PyTorch, for the gpu case: how many images a second a reset layer takes.

    python bench/gpu.py DEVICE PRECISION BATCH IMAGES LAYERS

DEVICE is cpu or one of torch's (cuda:0); PRECISION fp32, tf32 or fp16 (autocast). A ResNet-50 and a freshly initialised
second one; for LAYERS of its 54 convolutions and linears, spread over the depth, weight and bias are taken from the
second, the IMAGES go through the model batch by batch, and their softmax outputs are compared with those of the untouched
one. Images are normalised tensors on the device from the start: nothing is paid for decoding or copying them, nor for
making models or compiling.

Three ways: eager, as the published code does it; channels-last, with model and images in that memory format; compiled,
that through torch.compile besides, which sees the new weights since they are written in place.

Prints one line of JSON first, with the ways and why one is missing; then, for every line on standard input, for each
way the seconds of the untouched model's run and the mean seconds of one layer's.
"""

import contextlib
import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        outputs = 4 * width
        self.body = nn.Sequential(
            *convolution(inputs, width, 1, 1),
            nn.ReLU(inplace=True),
            *convolution(width, width, 3, stride),
            nn.ReLU(inplace=True),
            *convolution(width, outputs, 1, 1),
        )
        shortcut = stride != 1 or inputs != outputs
        self.shortcut = nn.Sequential(*convolution(inputs, outputs, 1, stride)) if shortcut else nn.Identity()

    def forward(self, x):
        return functional.relu(self.body(x) + self.shortcut(x), inplace=True)


def convolution(inputs, outputs, kernel, stride):
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer, nn.BatchNorm2d(outputs)


def resnet50():
    blocks, inputs = [], 64
    for stage, count in enumerate([3, 4, 6, 3]):
        width = 64 * 2**stage
        for i in range(count):
            blocks.append(Bottleneck(inputs, width, 2 if stage > 0 and i == 0 else 1))
            inputs = 4 * width
    stem = [*convolution(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 1000)).eval()


def layers_of(model):
    return [module for module in model.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]


def parameters_of(layer):
    return [parameter for parameter in (layer.weight, layer.bias) if parameter is not None]


class Study:
    def __init__(self, device, precision, batch, images, way):
        self.device = torch.device(device)
        self.half = precision == "fp16"
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
        torch.manual_seed(0)
        layout = torch.contiguous_format if way == "eager" else torch.channels_last
        self.model = resnet50().to(self.device, memory_format=layout)
        self.fresh = resnet50()
        self.run = torch.compile(self.model) if way == "compiled" else self.model
        images = torch.randn(images, 3, 224, 224).to(self.device, memory_format=layout)
        self.batches = images.split(batch)

    def forward(self, images):
        context = torch.autocast(self.device.type, torch.float16) if self.half else contextlib.nullcontext()
        with context:
            return self.run(images).float()

    def original(self):
        self.logits = [self.forward(images) for images in self.batches]
        self.wait()

    def reset(self, index):
        """One layer as the fresh model has it, compared over all images, and put back."""
        layer, other = layers_of(self.model)[index], layers_of(self.fresh)[index]
        kept = [parameter.clone() for parameter in parameters_of(layer)]
        for parameter, new in zip(parameters_of(layer), parameters_of(other)):
            parameter.copy_(new)
        sums = torch.zeros(5, dtype=torch.float64, device=self.device)
        for images, logits in zip(self.batches, self.logits):
            sums += self.compare(logits, self.forward(images))
        for parameter, old in zip(parameters_of(layer), kept):
            parameter.copy_(old)
        return sums.tolist()

    @staticmethod
    def compare(logits, changed):
        p, q = logits.softmax(1), changed.softmax(1)
        return torch.stack(
            [
                functional.cosine_similarity(p, q).sum(),
                (p - q).abs().sum(),
                (p - q).norm(dim=1).sum(),
                functional.cross_entropy(logits, changed, reduction="sum"),
                (p.argmax(1) == q.argmax(1)).sum().float(),
            ]
        ).double()

    def wait(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def seconds(run):
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def prepared(way, device, precision, batch, images):
    """A study whose two kinds of run have been made once, or why there is none."""
    try:
        study = Study(device, precision, batch, images, way)
        study.original()
        study.reset(0)
        return study, None
    except Exception as error:
        if way == "eager":
            raise
        return None, str(error).strip().split("\n")[0]


@torch.inference_mode()
def main(device, precision, batch, images, layers):
    made = {way: prepared(way, device, precision, int(batch), int(images)) for way in ("eager", "channels-last", "compiled")}
    studies = {way: study for way, (study, _) in made.items() if study}
    eager = studies["eager"]
    count = len(layers_of(eager.model))
    chosen = [round(i * (count - 1) / (int(layers) - 1)) for i in range(int(layers))]
    card = torch.cuda.get_device_name(eager.device) if eager.device.type == "cuda" else None
    about = {"torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    missing = {way: why for way, (_, why) in made.items() if why is not None}
    print(json.dumps({**about, "card": card, "layers": count, "measured": len(chosen), "missing": missing}), flush=True)
    for _ in sys.stdin:
        found = {}
        for way, study in studies.items():
            original = seconds(study.original)
            cell = seconds(lambda: [study.reset(index) for index in chosen]) / len(chosen)
            found[way] = {"original": original, "cell": cell}
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
