#!/usr/bin/env python3
"""Make test/fixtures/dialects: checkpoints under the names of transformers, torchvision and Facebook's ConvNeXt, and what
these answer; Facebook's as timm loads it.

    pip install torch==2.13.0 torchvision==0.28.0 timm==1.0.29 transformers==5.18.0 safetensors     (CPU)
    python test/oracle/make_dialect_fixtures.py

The networks of dialects.json are small and saved whole. Those of folders.json are transformers' folders in the sizes of
built-in architectures: of their tensors there are names and shapes only, since test/architectures/weight-rule.ts
follows the rule of make_architecture_golden.py too, as do the images of both.
"""
import json
import re
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from timm.models import convnext as timm_convnext
from torchvision.models import VisionTransformer
from torchvision.models import convnext as torchvision_convnext
import transformers
from transformers import (ConvNextConfig, ConvNextForImageClassification, ConvNextImageProcessor, DeiTConfig,
                          DeiTForImageClassification, DeiTForImageClassificationWithTeacher, DeiTImageProcessor,
                          ResNetConfig, ResNetForImageClassification, ViTConfig, ViTForImageClassification,
                          ViTImageProcessor)

from make_architecture_golden import by_rule, state

OUT = Path(__file__).parents[1] / "fixtures" / "dialects"
CLASSES = 5
# timm's have four stages.
DEPTHS = [1, 1, 2, 1]
DIMS = [4, 8, 8, 12]
IMAGES = 2
# So large that a network with another one answers otherwise.
EPSILON = 0.05

TRANSFORMER = {"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 48,
               "image_size": 16, "patch_size": 8, "layer_norm_eps": 1e-6, "num_labels": CLASSES}
SMALL = {
    "resnet": ResNetForImageClassification(ResNetConfig(embedding_size=4, hidden_sizes=[16, 32], depths=[1, 2],
                                                        num_labels=CLASSES)),
    "vit": ViTForImageClassification(ViTConfig(**TRANSFORMER)),
    "deit": DeiTForImageClassificationWithTeacher(DeiTConfig(**TRANSFORMER)),
    "convnext": ConvNextForImageClassification(ConvNextConfig(num_stages=2, hidden_sizes=[8, 16], depths=[1, 2],
                                                              layer_norm_eps=1e-6, num_labels=CLASSES)),
}

TINY = {"hidden_size": 192, "num_attention_heads": 3, "intermediate_size": 768, "layer_norm_eps": EPSILON,
        "num_labels": CLASSES}
FOLDERS = {
    "resnet18": (ResNetForImageClassification(ResNetConfig(hidden_sizes=[64, 128, 256, 512], depths=[2, 2, 2, 2],
                                                           layer_type="basic", num_labels=CLASSES)),
                 ConvNextImageProcessor(size={"shortest_edge": 64}, image_mean=[0.485, 0.456, 0.406],
                                        image_std=[0.229, 0.224, 0.225]), 64),
    "vit": (ViTForImageClassification(ViTConfig(**TINY, image_size=64, patch_size=32)),
            ViTImageProcessor(size={"height": 64, "width": 64}), 64),
    "deit": (DeiTForImageClassification(DeiTConfig(**TINY, image_size=32)),
             DeiTImageProcessor(size={"height": 36, "width": 36}, crop_size={"height": 32, "width": 32}), 32),
    "deit-teacher": (DeiTForImageClassificationWithTeacher(DeiTConfig(**TINY, image_size=32)),
                     DeiTImageProcessor(size={"height": 36, "width": 36}, crop_size={"height": 32, "width": 32}), 32),
    "convnext": (ConvNextForImageClassification(ConvNextConfig(hidden_sizes=[40, 80, 160, 320], depths=[2, 2, 6, 2],
                                                               layer_norm_eps=EPSILON, num_labels=CLASSES)),
                 ConvNextImageProcessor(size={"shortest_edge": 64}, crop_pct=0.9), 64),
}


def fill(model):
    """The model with weights by the rule, under the names that it has in memory."""
    values = {name: by_rule(name, tuple(value.shape)) for name, value in state(model).items()}
    _, unexpected = model.load_state_dict(values, strict=False)
    assert not unexpected
    return model.eval()


def logits(model, edge):
    with torch.no_grad():
        answer = model(by_rule("images", (IMAGES, 3, edge, edge)))
    answer = answer if isinstance(answer, torch.Tensor) else answer.logits
    apart = (answer[0] - answer[1]).abs().max() / answer.abs().max()
    assert apart > 0.05, "logits do not depend on the images"
    return [[float(f"{value:.8g}") for value in row] for row in answer.tolist()]


def small():
    answers = {}
    for name, model in SMALL.items():
        with tempfile.TemporaryDirectory() as folder:
            fill(model).save_pretrained(folder)
            tensors = load_file(Path(folder) / "model.safetensors")
        save_file(tensors, OUT / f"{name}.safetensors")
        answers[f"{name}.safetensors"] = logits(model, 16 if "it" in name else 32)
    # As the modules are called, not as transformers saves them.
    torch.save(SMALL["vit"].state_dict(), OUT / "vit-modules.pth")
    answers["vit-modules.pth"] = answers["vit.safetensors"]
    torchvision = fill(VisionTransformer(16, 8, 2, 3, 12, 48, num_classes=CLASSES))
    torch.save(torchvision.state_dict(), OUT / "torchvision-vit.pth")
    answers["torchvision-vit.pth"] = logits(torchvision, 16)
    block = torchvision_convnext.CNBlockConfig
    stages = [block(*one) for one in zip(DIMS, [*DIMS[1:], None], DEPTHS)]
    torchvision = fill(torchvision_convnext.ConvNeXt(stages, num_classes=CLASSES))
    torch.save(torchvision.state_dict(), OUT / "torchvision-convnext.pth")
    answers["torchvision-convnext.pth"] = logits(torchvision, 32)
    answers["facebook-convnext.pth"] = facebook()
    return answers


def facebook():
    """Facebook's own code is no package; of its names, those that timm reads strictly are these."""
    model = fill(timm_convnext.ConvNeXt(num_classes=CLASSES, depths=DEPTHS, dims=DIMS))
    tensors = {}
    for name, value in model.state_dict().items():
        for pattern, replacement in [(r"^stem\.", "downsample_layers.0."), (r"(stages\.\d+)\.blocks", r"\1"),
                                     (r"stages\.(\d+)\.downsample", r"downsample_layers.\1"), ("conv_dw", "dwconv"),
                                     (r"mlp\.fc", "pwconv"), (r"^head\.(norm)", r"\1"), (r"^head\.fc", "head")]:
            name = re.sub(pattern, replacement, name)
        tensors[name] = value
    torch.save({"model": tensors}, OUT / "facebook-convnext.pth")
    read = timm_convnext.ConvNeXt(num_classes=CLASSES, depths=DEPTHS, dims=DIMS)
    read.load_state_dict(timm_convnext.checkpoint_filter_fn(torch.load(OUT / "facebook-convnext.pth"), read))
    return logits(read.eval(), 32)


def folders():
    answers = {}
    for name, (model, processor, edge) in FOLDERS.items():
        with tempfile.TemporaryDirectory() as path:
            folder = Path(path)
            model.save_pretrained(folder)
            processor.save_pretrained(folder)
            weights = folder / "model.safetensors"
            tensors = {key: by_rule(key, tuple(value.shape)) for key, value in load_file(weights).items()
                       if not key.endswith("num_batches_tracked")}
            save_file(tensors, weights, metadata={"format": "pt"})
            read = type(model).from_pretrained(folder).eval()
            answers[name] = {
                "config": json.loads((folder / "config.json").read_text()),
                "preprocessor": json.loads((folder / "preprocessor_config.json").read_text()),
                "edge": edge,
                "logits": logits(read, edge),
                "tensors": [f"{key} {'x'.join(map(str, value.shape))}" for key, value in tensors.items()],
            }
    return answers


def write(name, answers):
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in answers.items()]
    (OUT / name).write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    write("dialects.json", small())
    write("folders.json", folders())
    for path in OUT.iterdir():
        path.chmod(0o644)
    print(f"transformers {transformers.__version__}:", sum(path.stat().st_size for path in OUT.iterdir()), "bytes")
