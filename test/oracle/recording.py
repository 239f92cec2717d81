"""Which distribution each parameter of a freshly built PyTorch model was drawn from: the operators that fill tensors
in place are watched, so that one model tells it exactly and no draws need to be compared."""
import math

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Recorder(TorchDispatchMode):
    """Keeps every in-place operator by the memory that it wrote to."""

    def __init__(self):
        super().__init__()
        self.written = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = function(*args, **kwargs)
        name = function.__name__.split(".")[0]
        if name.endswith("_") and args and isinstance(args[0], torch.Tensor):
            numbers = [float(a) for a in args[1:] if isinstance(a, (int, float)) or
                       (isinstance(a, torch.Tensor) and a.numel() == 1)]
            key = args[0].untyped_storage()._cdata
            self.written.setdefault(key, []).append((name[:-1], numbers, kwargs))
        return out

    def of(self, parameter):
        """`u:BOUND`, `n:STD`, `t:STD:BOUND` (a normal cut at +-BOUND), `c:VALUE`, or `?` for anything else. What is cut
        at more than eight deviations is a normal."""
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
            return f"n:{digits(a)}" if b > 8 else f"t:{digits(a)}:{digits(b * a)}"
        return f"c:{digits(a)}" if kind == "c" else "?"
