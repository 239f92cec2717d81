#!/usr/bin/env python3
"""Write test/fixtures/metrics.json: what every comparison of two rows of logits should give.

    python test/oracle/make_metric_golden.py     # needs numpy and scipy

The logits are float32 values; everything else is float64. p is the softmax of the original row and q
that of the reset row. KL is taken from log-softmax, so it stays finite where q underflows to zero.
Ties go to the lowest index. publishedCe is -sum(reset logits * log_softmax(original logits)).
"""
import json
from pathlib import Path

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.special import log_softmax, rel_entr, softmax

OUT = Path(__file__).resolve().parent.parent / "fixtures" / "metrics.json"


def compare(original, reset, label):
    a, b = original.astype(np.float64), reset.astype(np.float64)
    p, q, log_p, log_q = softmax(a), softmax(b), log_softmax(a), log_softmax(b)
    middle = (p + q) / 2
    js = (rel_entr(p, middle).sum() + rel_entr(q, middle).sum()) / (2 * np.log(2))
    assert abs(js - jensenshannon(p, q, base=2) ** 2) < 1e-12
    rank = int((b > b[label]).sum() + (b[:label] == b[label]).sum())
    return {
        "p": p.tolist(), "q": q.tolist(),
        "cosine": float(p @ q / (np.linalg.norm(p) * np.linalg.norm(q))),
        "l1": float(np.abs(p - q).sum()),
        "l2": float(np.linalg.norm(p - q)),
        "kl": float(np.where(p > 0, p * (log_p - log_q), 0).sum()),
        "js": float(js),
        "agree": bool(a.argmax() == b.argmax()),
        "top1": bool(b.argmax() == label),
        "top5": rank < 5,
        "loss": float(-log_q[label]),
        "publishedCe": float(-(b * log_p).sum()),
    }


def cases():
    """Yield (name, original, reset, label)."""
    draw = np.random.default_rng(20240607)
    for classes in (1, 2, 5, 10):
        row = lambda scale: draw.normal(0, scale, classes)
        last = classes - 1
        for scale in (1, 8):
            for i in range(3):
                yield f"random, scale {scale}, {i}", row(scale), row(scale), int(draw.integers(classes))
        same = row(3)
        yield "equal rows", same, same, int(same.argmax())
        yield "shifted by a constant", np.round(same * 8) / 8, np.round(same * 8) / 8 + 5, 0
        yield "nearly equal rows", same, same + draw.normal(0, 1e-5, classes), 0
        yield "all logits zero in both", np.zeros(classes), np.zeros(classes), last
        yield "all logits equal in the reset row", row(2), np.full(classes, -3.5), last
        yield "all logits equal in the reset row, label first", row(2), np.full(classes, -3.5), 0
        tied = row(1)
        tied[[0, last]] = 4
        yield "tie for first in the original row", tied, row(1), 0
        yield "tie for first in the reset row, label first", row(1), tied, 0
        yield "tie for first in the reset row, label last", row(1), tied, last
        yield "tie for first in both rows", tied, tied[::-1], last
        signs = np.where(np.arange(classes) % 2 == 0, 1e4, -1e4)
        yield "logits of 1e4 either way, opposed", signs, -signs, 0
        yield "logits of 1e4 either way, the same", signs, signs, last
        yield "one logit of 1e4, moved", 1e4 * np.eye(classes)[0], 1e4 * np.eye(classes)[last], 0
        yield "one logit of -1e4", -1e4 * np.eye(classes)[0], row(1), 0
        yield "large reset against a plain original", row(1), 1e4 * row(1), last
    steps = np.arange(10.0, 0, -1)
    for label in range(10):
        yield f"rank {label} of ten", steps[::-1], steps, label
    ties = np.array([9, 8, 7, 5, 5, 5, 5, 5, 5, 5.0])
    for label in range(2, 7):
        yield f"seven tied from fourth place, label {label}", steps, ties, label


def main():
    rows = []
    for name, original, reset, label in cases():
        original, reset = np.asarray(original, np.float32), np.asarray(reset, np.float32)
        rows.append({"name": name, "classes": len(original), "label": label, "original": original.tolist(),
                     "reset": reset.tolist(), **compare(original, reset, label)})
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text('{"cases": [\n' + ",\n".join(json.dumps(r, allow_nan=False) for r in rows) + "\n]}\n")
    print(f"{len(rows)} cases, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
