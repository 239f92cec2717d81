#!/usr/bin/env python3
"""Export small variants of many architectures by both of PyTorch's exporters, with PyTorch's answers for them.

    python test/oracle/export_zoo.py FOLDER [NAME ...]     # needs torch, torchvision, timm, onnx, numpy
    CRITMAP_ZOO=FOLDER npx tap -R tap test/onnx/zoo.test.ts

For each NAME: NAME.KIND.onnx and NAME.KIND.donor.onnx for the kinds below, NAME.npy (images) and NAME.json: the
convolutions and Linear modules in the order of their first call, PyTorch's logits, and the logits with
one layer's weight, bias and gain from the donor, for three layers. The donor differs from the model in nothing but these
modules' weights and biases, so that the answers hold where an export folds norms into them.

    torchscript    the older exporter, nothing folded        dynamo-plain   the newer one, not optimised
    folded         the older one's defaults                  dynamo         the newer one's defaults
"""
import copy
import json
import logging
import sys
import time
import traceback
import warnings
from pathlib import Path

import numpy as np
import timm
import torch
import torchvision.models as tv
from timm import models as tm
from torch import nn

from exporting import export, logits
from zoo_more import MORE

IMAGES, CLASSES, SEED = 4, 10, 5
LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.Linear)
RECURRENT = (nn.RNN, nn.GRU, nn.LSTM)
KINDS = {"torchscript": dict(dynamo=False, folded=False), "folded": dict(dynamo=False, folded=True),
         "dynamo-plain": dict(dynamo=True, optimize=False), "dynamo": dict(dynamo=True, optimize=True)}


def vgg():
    model = tv.vgg.VGG(tv.vgg.make_layers([8, "M", 16, "M", 32, 32, "M", 48, "M"], batch_norm=True), CLASSES)
    model.classifier = nn.Sequential(nn.Linear(48 * 49, 64), nn.ReLU(True), nn.Dropout(), nn.Linear(64, CLASSES))
    return model


def googlenet():
    """The stem and two modules of torchvision's GoogLeNet."""
    from torchvision.models.googlenet import BasicConv2d, Inception
    return nn.Sequential(BasicConv2d(3, 16, kernel_size=7, stride=2, padding=3), nn.MaxPool2d(3, 2, ceil_mode=True),
                         Inception(16, 8, 8, 16, 4, 8, 8), nn.MaxPool2d(3, 2, ceil_mode=True),
                         Inception(40, 16, 8, 24, 4, 8, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2),
                         nn.Linear(56, CLASSES))


def inception():
    """The start and a module of each kind of torchvision's Inception-v3."""
    from torchvision.models import inception as parts
    return nn.Sequential(parts.BasicConv2d(3, 16, kernel_size=3, stride=2), nn.MaxPool2d(3, 2),
                         parts.InceptionA(16, 8), parts.InceptionB(232), parts.InceptionC(712, 16),
                         parts.InceptionD(768), parts.InceptionE(1280), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(2048, CLASSES))


def hrnet():
    """One module and one block of each of HRNet's stages, with few channels."""
    config = copy.deepcopy(tm.hrnet.cfg_cls["hrnet_w18_small"])
    for i in range(1, 5):
        stage = config[f"stage{i}"]
        channels = tuple(8 * 2 ** j for j in range(len(stage["num_channels"])))
        stage.update(num_modules=1, num_blocks=(1,) * len(channels), num_channels=channels)
    return tm.hrnet.HighResolutionNet(config, num_classes=CLASSES)


class Upsampling(nn.Module):
    """An encoder, a decoder of transposed convolutions (dense, depthwise, one input channel per group), a head."""

    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 12, 3, 2, 1))
        self.up1 = nn.ConvTranspose2d(12, 6, 4, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.up2 = nn.ConvTranspose2d(6, 6, 3, 2, 1, groups=6)
        self.up3 = nn.ConvTranspose2d(6, 12, 2, 2, groups=6)
        self.head = nn.Linear(12, CLASSES)

    def forward(self, x):
        x = torch.relu(self.norm(self.up1(torch.relu(self.down(x)))))
        return self.head(torch.relu(self.up3(torch.relu(self.up2(x)))).mean((2, 3)))


class Recurrent(nn.Module):
    """Rows of the image as steps of an LSTM in both directions, a GRU of two layers, and a plain cell without biases."""

    def __init__(self, size=32):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 4, 4)
        self.lstm = nn.LSTM(size, 5, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(10, 6, num_layers=2, batch_first=True)
        self.rnn = nn.RNN(6, 7, batch_first=True, bias=False)
        self.head = nn.Linear(7, CLASSES)

    def forward(self, x):
        x = self.stem(x).permute(0, 2, 1, 3).flatten(2)
        for cell in (self.lstm, self.gru, self.rnn):
            x = cell(x)[0]
        return self.head(x.mean(1))


def timm_model(name, **options):
    return timm.create_model(name, num_classes=CLASSES, **options)


# Builder and edge length of the images.
ZOO = {
    "resnet": (lambda: timm_model("test_resnet"), 64),
    "resnet18": (lambda: tv.resnet18(num_classes=CLASSES), 64),
    "densenet": (lambda: tv.DenseNet(8, (2, 2, 2, 2), 16, num_classes=CLASSES), 64),
    "vgg": (vgg, 112),
    "inception": (inception, 80),
    "mobilenet_v2": (lambda: tv.mobilenet_v2(num_classes=CLASSES, width_mult=0.25), 64),
    "mobilenet_v3": (lambda: tv.mobilenet_v3_small(num_classes=CLASSES), 64),
    "efficientnet": (lambda: timm_model("test_efficientnet"), 64),
    "efficientnet_b0": (lambda: tv.efficientnet_b0(num_classes=CLASSES), 64),
    "regnet": (lambda: timm_model("regnety_002"), 64),
    "shufflenet": (lambda: tv.shufflenet_v2_x0_5(num_classes=CLASSES), 64),
    "squeezenet": (lambda: tv.squeezenet1_1(num_classes=CLASSES), 64),
    "convnext": (lambda: timm_model("test_convnext"), 64),
    "convnext_tv": (lambda: tv.ConvNeXt([tv.convnext.CNBlockConfig(16, 32, 2), tv.convnext.CNBlockConfig(32, None, 2)],
                                        num_classes=CLASSES), 64),
    "vit": (lambda: timm_model("test_vit", img_size=64), 64),
    "vit_tv": (lambda: tv.VisionTransformer(64, 16, 2, 3, 48, 96, num_classes=CLASSES), 64),
    "deit": (lambda: tm.deit.VisionTransformerDistilled(img_size=64, embed_dim=48, depth=2, num_heads=3,
                                                        num_classes=CLASSES), 64),
    "swin": (lambda: tm.SwinTransformer(img_size=64, patch_size=4, window_size=4, embed_dim=24, depths=(2, 2),
                                        num_heads=(2, 4), num_classes=CLASSES), 64),
    "mixer": (lambda: tm.MlpMixer(img_size=64, num_blocks=2, embed_dim=32, num_classes=CLASSES), 64),
    "mnasnet": (lambda: tv.mnasnet0_5(num_classes=CLASSES), 64),
    "googlenet": (googlenet, 64),
    "hrnet": (hrnet, 64),
    "nfnet": (lambda: timm_model("test_nfnet"), 64),
    "xcit": (lambda: tm.Xcit(img_size=64, patch_size=8, embed_dim=32, depth=2, num_heads=2, num_classes=CLASSES), 64),
    "coat": (lambda: tm.CoaT(img_size=64, patch_size=4, embed_dims=(16, 32, 32, 32), serial_depths=(1, 1, 1, 1),
                             parallel_depth=1, num_heads=8, mlp_ratios=(2, 2, 2, 2), num_classes=CLASSES), 64),
    "beit": (lambda: tm.Beit(img_size=64, embed_dim=48, depth=2, num_heads=3, num_classes=CLASSES,
                             use_rel_pos_bias=True), 64),
    "bit": (lambda: tm.ResNetV2([1, 1, 1, 1], channels=(128, 128, 256, 256), num_classes=CLASSES, stem_chs=32), 64),
    "upsampling": (Upsampling, 32),
    "mobileone": (lambda: timm_model("mobileone_s0"), 64),
    "repvgg": (lambda: timm_model("test_byobnet"), 64),
    "sequencer": (lambda: tm.sequencer.Sequencer2d(layers=(1, 1), patch_sizes=(7, 2), embed_dims=(16, 24),
                                                   hidden_sizes=(6, 8), mlp_ratios=(2, 2), num_classes=CLASSES), 56),
    "recurrent": (Recurrent, 32),
    **MORE,
}


def build(make, seed):
    """A model with random weights, whose norms are far from the identity too."""
    torch.manual_seed(seed)
    model = make().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Gates and layer scales that start at zero would hide what is before them.
            if parameter.ndim == 1 and not name.endswith("bias") and parameter.abs().max() < 0.1:
                parameter.uniform_(0.3, 0.6)
            # As trained ones are: the newer exporter leaves biases of zeros out.
            elif not parameter.any():
                parameter.normal_(0, 0.1)
        for module in model.modules():
            if hasattr(module, "gain"):
                module.gain.mul_(torch.empty_like(module.gain).uniform_(0.5, 1.5))
            if isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)) and module.weight is not None:
                module.weight.uniform_(0.5, 1.5)
                if module.bias is not None:
                    module.bias.uniform_(-0.3, 0.3)
    return model


def settle(model, images):
    """Statistics of the images themselves: activations neither vanish nor explode in deep networks."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
        norm.reset_running_stats()
        norm.train()
    with torch.no_grad():
        model(images)
    model.eval()


def donor_of(model):
    donor = copy.deepcopy(model)
    torch.manual_seed(SEED + 1)
    with torch.no_grad():
        for module in donor.modules():
            if isinstance(module, LAYERS):
                for parameter in [module.weight] + ([] if module.bias is None else [module.bias]):
                    parameter.copy_(parameter.flatten()[torch.randperm(parameter.numel())].reshape(parameter.shape))
                    parameter.add_(0.02 * torch.randn_like(parameter))
                if hasattr(module, "gain"):
                    module.gain.mul_(1 + 0.2 * torch.rand_like(module.gain))
            if isinstance(module, RECURRENT):
                for parameter in module.parameters():
                    parameter.add_(0.1 * torch.randn_like(parameter))
            if isinstance(module, nn.MultiheadAttention):
                module.in_proj_weight.add_(0.05 * torch.randn_like(module.in_proj_weight))
                module.in_proj_bias.add_(0.05 * torch.randn_like(module.in_proj_bias))
    return donor


def joins_biases(module):
    return hasattr(module, "q_bias") and module.qkv is not None


def layers(model, images):
    """Modules with a weight in the order of their first call, and of modules that use their children's weights."""
    rows = {}

    def add(name, parameter, bias, kind, groups=1):
        rows.setdefault(name, {"name": name, "type": kind, "shape": list(parameter.shape),
                               "bias": bias is not None, "groups": groups})

    def hook(name):
        def called(module, *_):
            if isinstance(module, nn.MultiheadAttention):
                add(f"{name}.in_proj", module.in_proj_weight, module.in_proj_bias, "Linear")
                add(f"{name}.out_proj", module.out_proj.weight, module.out_proj.bias, "Linear")
            elif isinstance(module, RECURRENT):   # the input's and the state's weights of every layer and direction
                for weight in [name for name, _ in module.named_parameters() if name.startswith("weight")]:
                    add(f"{name}.{weight[7:]}", getattr(module, weight),
                        getattr(module, weight.replace("weight", "bias"), None), type(module).__name__)
            elif joins_biases(module):   # BEiT joins three biases outside of its Linear
                add(f"{name}.qkv", module.qkv.weight, None, "Linear")
            else:
                add(name, module.weight, module.bias, type(module).__name__, getattr(module, "groups", 1))
        return called

    kinds = (*LAYERS, *RECURRENT, nn.MultiheadAttention)
    hooks = [module.register_forward_pre_hook(hook(name)) for name, module in model.named_modules()
             if isinstance(module, kinds) or joins_biases(module)]
    with torch.no_grad():
        model(images)
    for one in hooks:
        one.remove()
    return list(rows.values())


def with_layer_of(model, donor, name):
    mixed = copy.deepcopy(model)
    path, _, leaf = name.rpartition(".")
    if leaf == "in_proj":
        there, from_ = mixed.get_submodule(path), donor.get_submodule(path)
        pairs = [(there.in_proj_weight, from_.in_proj_weight), (there.in_proj_bias, from_.in_proj_bias)]
    elif isinstance(mixed.get_submodule(path), RECURRENT):
        there, from_ = mixed.get_submodule(path), donor.get_submodule(path)
        names = [name for name, _ in there.named_parameters() if name in (f"weight_{leaf}", f"bias_{leaf}")]
        pairs = [(getattr(there, name), getattr(from_, name)) for name in names]
    else:
        there, from_ = mixed.get_submodule(name), donor.get_submodule(name)
        names = [name for name in ("weight", "bias", "gain") if getattr(there, name, None) is not None]
        pairs = [(getattr(there, name), getattr(from_, name)) for name in names]
    with torch.no_grad():
        for own, new in pairs:
            own.copy_(new)
    return mixed


def one(name, out, kinds=KINDS):
    make, size = ZOO[name]
    model = build(make, SEED)
    images = torch.randn(IMAGES, 3, size, size, generator=torch.Generator().manual_seed(SEED))
    images *= torch.arange(1.0, IMAGES + 1)[:, None, None, None]   # or their logits are much alike
    settle(model, images)
    donor = donor_of(model)
    rows = layers(model, images)
    np.save(out / f"{name}.npy", images.numpy())
    chosen = [rows[i]["name"] for i in sorted({0, len(rows) // 2, len(rows) - 1})]
    # A module that others share has a name in each; exporters take any of them.
    names = {}
    for path, module in model.named_modules(remove_duplicate=False):
        names.setdefault(id(module), []).append(path)
    for row in rows:
        if row["name"] in dict(model.named_modules()) and not row["name"].endswith("qkv"):
            row["aliases"] = names[id(model.get_submodule(row["name"]))]
    trained = {name: list(parameter.shape) for name, parameter in model.named_parameters()}
    first = {id(parameter): path for path, parameter in model.named_parameters()}
    other = {path: first[id(parameter)] for path, parameter in model.named_parameters(remove_duplicate=False)}
    answer = {"layers": rows, "parameters": trained, "names": other, "logits": logits(model, images), "kinds": [], "failed": {},
              "donor": {layer: logits(with_layer_of(model, donor, layer), images) for layer in chosen}}
    plain = {}
    for kind, options in kinds.items():
        start = time.time()
        try:
            for path, network in ((out / f"{name}.{kind}.onnx", model), (out / f"{name}.{kind}.donor.onnx", donor)):
                if network in plain:   # what torch.onnx.export does where it optimises; the rest of it takes most of the time
                    plain[network].optimize()
                    plain[network].save(str(path), external_data=False)
                else:
                    written = export(network, images, path, **options)
                    if options["dynamo"]:
                        plain[network] = written
            answer["kinds"].append(kind)
        except Exception as error:   # an exporter that cannot do an architecture is a result too
            answer["failed"][kind] = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            traceback.print_exc(limit=-2)
        print(f"{name}.{kind}: {time.time() - start:.1f} s", flush=True)
    (out / f"{name}.json").write_text(json.dumps(answer))


def main():
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or ZOO:
        one(name, out)


if __name__ == "__main__":
    main()
