#!/usr/bin/env python3
"""Make the two small .npz files that fuzzing starts from: python test/oracle/make_npz_fixtures.py"""
from pathlib import Path

import numpy as np

OUT = Path(__file__).resolve().parent.parent / "fixtures" / "npz"
OUT.mkdir(parents=True, exist_ok=True)
images = (np.arange(3 * 8 * 8) * 37 % 256).astype(np.uint8).reshape(3, 8, 8)
labels = np.array([2, 0, 1])
np.savez(OUT / "stored.npz", images=images, labels=labels)
np.savez_compressed(OUT / "deflated.npz", images=images, labels=labels)
