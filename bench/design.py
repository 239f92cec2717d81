"""The published algorithm in PyTorch on the demo's model, for the design case: how long a pass takes.

    python bench/design.py BATCH

For every layer its weight and bias are taken from a freshly built model, the 1,000 images go through the model batch by batch, and
their softmax outputs are compared with the untouched one's. Images are normalised tensors from the start, and building the
fresh model is not counted. Prints the seconds of one pass (one image, one layer) for every line on standard input.
"""

import json
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "test" / "oracle"))
from make_demo_truth import ResNet, load  # noqa: E402


@torch.inference_mode()
def main(batch):
    model, images = load(quiet=True)
    fresh = dict(ResNet().named_parameters())
    batches = images.split(batch)
    logits = [model(part) for part in batches]
    layers = [(name, m) for name, m in model.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        for name, module in layers:
            kept = {key: p.clone() for key, p in module.named_parameters(recurse=False)}
            for key, p in module.named_parameters(recurse=False):
                p.copy_(fresh[f"{name}.{key}"])
            for part, original in zip(batches, logits):
                p, q = original.softmax(1), model(part).softmax(1)
                F.cosine_similarity(p, q).sum().item()
                (p.argmax(1) == q.argmax(1)).sum().item()
            for key, p in module.named_parameters(recurse=False):
                p.copy_(kept[key])
        print((time.perf_counter() - started) / (len(layers) * len(images)), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
