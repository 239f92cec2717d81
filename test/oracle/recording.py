"""Which distribution each parameter of a freshly built PyTorch model was drawn from: the operators that fill tensors
in place are watched, so that one model tells it exactly and no draws need to be compared."""
import math

import torch
from timm.layers.weight_init import _trunc_normal_
from torch.utils._python_dispatch import TorchDispatchMode


def by_inverse(tensor, mean, std, a, b, generator=None):
    """PyTorch's own trunc_normal_ draws until all values are within, timm's in one go: the same distribution, and one
    that `of` can read."""
    with torch.no_grad():
        return _trunc_normal_(tensor, mean, std, a, b)


class Recorder(TorchDispatchMode):
    """Keeps every in-place operator by the memory that it wrote to. Large tensors are not filled in truth: what they
    would be drawn from is all that is asked, and so the largest networks are made in a second."""

    LARGE = 2048
    FILLS = {"uniform", "normal", "erfinv", "mul", "div", "add", "clamp", "fill", "zero"}

    def __init__(self):
        super().__init__()
        self.written = {}

    def __enter__(self):
        self.drawing, torch.nn.init._no_grad_trunc_normal_ = torch.nn.init._no_grad_trunc_normal_, by_inverse
        return super().__enter__()

    def __exit__(self, *why):
        torch.nn.init._no_grad_trunc_normal_ = self.drawing
        return super().__exit__(*why)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = function.__name__.split(".")[0]
        is_fill = name.endswith("_") and bool(args) and isinstance(args[0], torch.Tensor)
        is_skipped = is_fill and name[:-1] in self.FILLS and args[0].numel() > self.LARGE
        out = args[0] if is_skipped else function(*args, **kwargs)
        if is_fill:
            numbers = [float(a) for a in args[1:] if isinstance(a, (int, float)) or
                       (isinstance(a, torch.Tensor) and a.numel() == 1)]
            storage = args[0].untyped_storage()
            # What is drawn for a part only, as a gate's half of a layer's rows, is no distribution of the whole.
            is_part = args[0].numel() * args[0].element_size() < storage.nbytes()
            kind = "index_put" if is_part else name[:-1]
            self.written.setdefault(storage._cdata, []).append((kind, numbers, kwargs))
        return out

    def of(self, parameter):
        """`u:BOUND`, `n:STD`, `t:STD:BOUND` (a normal cut at +-BOUND), `c:VALUE`, or `?` for anything else. What is cut
        at eight deviations or more is a normal."""
        kind, a, b = "?", 0.0, 0.0
        for name, numbers, kwargs in self.written.get(parameter.untyped_storage()._cdata, []):
            if name == "uniform":
                low = numbers[0] if numbers else kwargs.get("from", 0.0)
                kind, a, b = "u", low, numbers[1] if len(numbers) > 1 else kwargs.get("to", 1.0)
            elif name == "normal":
                # Also a normal of which torch draws again what falls outside of wide bounds.
                kind, a, b = "n", *(numbers + [0.0, 1.0][len(numbers):])
            elif name in ("zero", "fill"):
                kind, a, b = "c", numbers[0] if numbers else 0.0, 0.0
            elif name == "erfinv" and kind == "u":
                # trunc_normal_ by its inverse distribution function, which was drawn uniformly up to this value;
                # `b` becomes the bound in standard deviations. A factor sqrt(2) follows.
                kind, a, b = "t", 1 / math.sqrt(2), math.sqrt(2) * float(torch.erfinv(torch.tensor(min(b, 1 - 1e-16), dtype=torch.float64)))
            elif name == "mul" and numbers:
                a, b = a * numbers[0], b if kind == "t" else b * numbers[0]
            elif name == "div" and numbers:
                a, b = a / numbers[0], b if kind == "t" else b / numbers[0]
            elif name in ("copy", "masked_fill", "index_put", "eye"):
                kind = "?"
        digits = lambda v: f"{v:.6g}"
        if kind == "u" and abs(a + b) < 1e-9:
            return f"u:{digits(b)}"
        if kind == "n" and a == 0:
            return f"n:{digits(b)}"
        if kind == "t":
            return f"n:{digits(a)}" if b > 7.9 else f"t:{digits(a)}:{digits(b * a)}"
        return f"c:{digits(a)}" if kind == "c" else "?"
