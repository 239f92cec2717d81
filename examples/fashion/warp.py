"""Strong random views of grey images, for training with augmentation and for contrastive learning."""
import math

import torch
from torch.nn import functional as F


def random_views(images, generator, lowest, unit):
    """One random view of each image.

    `images` is [n, 1, height, width], standardised; `lowest` is what a black pixel became and `unit`
    what a difference of one (black to white) became. Every image is turned by up to 15 degrees, resized
    by 0.75 to 1.25 in either direction, sheared, shifted by up to 10 %, mirrored with probability one
    half; a fifth are blurred; brightness and contrast change by up to 30 %; and a patch of up to 12 x 12
    pixels is erased in half of them.
    """
    n, _, height, width = images.shape
    between = lambda low, high: torch.rand(n, generator=generator) * (high - low) + low
    chance = lambda p: torch.rand(n, generator=generator) < p

    angle, shear = between(-math.pi / 12, math.pi / 12), between(-0.2, 0.2)
    across, along = between(0.75, 1.25), between(0.75, 1.25)
    mirror = torch.where(chance(0.5), -1.0, 1.0)
    cos, sin = angle.cos(), angle.sin()
    rows = [torch.stack([mirror * across * cos, shear - along * sin, between(-0.2, 0.2)], 1),
            torch.stack([mirror * across * sin, along * cos, between(-0.2, 0.2)], 1)]
    grid = F.affine_grid(torch.stack(rows, 1), [n, 1, height, width], align_corners=False)
    # Black becomes zero, which is what lies outside the image.
    view = F.grid_sample(images - lowest, grid, align_corners=False)

    blurred = F.avg_pool2d(view, 3, 1, 1)
    view = torch.where(chance(0.2)[:, None, None, None], blurred, view)
    view = view * between(0.7, 1.3)[:, None, None, None]
    view = view.clamp(0, unit)

    top, left = between(-6, height - 6)[:, None], between(-6, width - 6)[:, None]
    side = torch.where(chance(0.5), between(6, 12), torch.zeros(n))[:, None]
    inside = lambda start, size: (torch.arange(size) >= start) & (torch.arange(size) < start + side)
    erased = inside(top, height)[:, :, None] & inside(left, width)[:, None, :]
    return view.masked_fill(erased[:, None], 0) + lowest
