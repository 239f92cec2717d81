"""Derives the coefficients of cpp/random/normal.h and cpp/metrics/exponential.h (needs numpy and scipy).

Run: python test/oracle/fit_normal.py
Each polynomial is a minimax fit in float64 (Lawson's reweighted least squares on Chebyshev points), rounded to
float32. The error of the whole float32 rule is measured by test/cpp/random/draws.test.ts on the built addon.
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
q, error = minimax(f, -np.log2(1 + f) / f, np.abs(f), 6)
show("log2, degree 6", q, error)


# The quantile: z = x * P(w), with x = 1/2 - p, w = -log2(4 p (1 - p)).
def quantile(w):
    t = np.exp2(-w)
    x = np.sqrt(-np.expm1(-w * np.log(2))) / 2  # t = 1 - 4 x^2
    p = t / 4 / (0.5 + x)
    z = np.where(w > 1e-9, -ndtri(p), x * np.sqrt(2 * np.pi))
    return x, z


w = chebyshev(1e-7, 7.25)
x, z = quantile(w)
c, error = minimax(w, z / x, x / z, 7)
show("central, w < 7.25, degree 7", c, error)

# Beyond, in s = sqrt(w) - 4; the smallest p is 2^-33, where w is 31.
s = chebyshev(np.sqrt(7.25) - 1e-3, np.sqrt(31.05))
x, z = quantile(s * s)
c, error = minimax(s - 4, z / x, x / z, 7, 1500)
show("sqrt(w) - 4, degree 7", c, error)

# 2^f = 1 + f * E(f) on |f| <= 1/2, relative error.
f = chebyshev(-0.5, 0.5)
c, error = minimax(f, (np.exp2(f) - 1) / f, np.abs(f) * np.exp2(-f), 4)
show("exp2, degree 5", np.concatenate([[1], c]), error)

# 2 ln(1 + s) = s * R(s) on [0, 1], absolute error of the logarithm.
s = chebyshev(1e-9, 1)
c, error = minimax(s, 2 * np.log1p(s) / s, s / 2, 7)
show("2 log1p, degree 7", c, error)
