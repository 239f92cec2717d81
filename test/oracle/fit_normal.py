"""Derives the coefficients of cpp/normal.h, cpp/exponential.h and cpp/metrics_rule.h (numpy, scipy).

Run: python test/oracle/fit_normal.py
Each polynomial is a minimax fit in float64 (Lawson's reweighted least squares on Chebyshev points), rounded to
float32. The error of the whole float32 rule is measured by test/cpp/normal.test.ts on the built addon.
"""
import numpy as np
from scipy.special import ndtri


def minimax(x, target, weight, degree, rounds=400):
    """Coefficients c with the smallest max |weight * (sum c_i x^i - target)| on the points x."""
    scale = np.max(np.abs(x))
    powers = (x[:, None] / scale) ** np.arange(degree + 1)
    lawson = np.full(x.size, 1.0 / x.size)
    best, best_error = None, np.inf
    for _ in range(rounds):
        root = np.sqrt(lawson)[:, None] * weight[:, None]
        solution, *_ = np.linalg.lstsq(powers * root, target * root[:, 0], rcond=None)
        error = np.abs(weight * (powers @ solution - target))
        if error.max() < best_error:
            best, best_error = solution, error.max()
        lawson = lawson * error
        lawson /= lawson.sum()
    return best / scale ** np.arange(degree + 1), best_error


def chebyshev(low, high, count=4000):
    return low + (high - low) * (1 - np.cos(np.pi * (np.arange(count) + 0.5) / count)) / 2


def show(title, coefficients, error):
    print(f"// {title}: max error {error:.1e}")
    print("{" + ", ".join(f"{np.float32(c):.9g}f" for c in coefficients[::-1]) + "}")


# The base-2 logarithm of a mantissa: -log2(1 + f) = f * Q(f), 1 + f in [2/3, 4/3).
f = chebyshev(-1 / 3, 1 / 3)
for degree in (6, 7, 8):
    q, error = minimax(f, -np.log2(1 + f) / f, np.abs(f), degree)
    show(f"log2, degree {degree}", q, error)


# The quantile: z = x * P(w), with x = 1/2 - p, w = -log2(4 p (1 - p)).
def quantile(w):
    t = np.exp2(-w)
    x = np.sqrt(-np.expm1(-w * np.log(2))) / 2  # t = 1 - 4 x^2
    p = t / 4 / (0.5 + x)
    z = np.where(w > 1e-9, -ndtri(p), x * np.sqrt(2 * np.pi))
    return x, z


for limit in (6.5, 7.25):
    for degree in (6, 7, 8):
        w = chebyshev(1e-7, limit)
        x, z = quantile(w)
        c, error = minimax(w, z / x, x / z, degree)
        show(f"central, w < {limit}, degree {degree}", c, error)

for low in (6.5, 7.25):
    for degree in (5, 6, 7):
        s = chebyshev(np.sqrt(low) - 1e-3, np.sqrt(31.05))
        x, z = quantile(s * s)
        c, error = minimax(s, z / x, x / z, degree)
        show(f"tail, {low} <= w <= 31, in sqrt(w), degree {degree}", c, error)

# exp(f) on |f| <= ln(2)/2, relative error.
f = chebyshev(-np.log(2) / 2, np.log(2) / 2)
for degree in (4, 5, 6):
    c, error = minimax(f, np.exp(f), np.exp(-f), degree)
    show(f"exp, degree {degree}", c, error)

# ln(1 + s) = s * R(s) on [0, 1].
s = chebyshev(1e-9, 1)
for degree in (6, 7, 8, 9):
    c, error = minimax(s, np.log1p(s) / s, s, degree)
    show(f"log1p, degree {degree}", c, error)
