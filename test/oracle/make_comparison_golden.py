"""Rank correlations, adjusted p-values, Welch's and the paired t-test as scipy and statsmodels have them.

apt-get install python3-scipy python3-statsmodels
/usr/bin/python3 test/oracle/make_comparison_golden.py > test/fixtures/comparison.json
"""
import json
import numpy as np
import scipy
import statsmodels
from scipy import stats
from scipy.optimize import brentq
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

rng = np.random.default_rng(16)
correlations = []
for name, n, decimals in [("3 pairs", 3, None), ("8 pairs", 8, None), ("8 with ties", 8, 0), ("33 pairs", 33, None),
                          ("34 pairs", 34, None), ("50 with ties", 50, 1), ("120 pairs", 120, None)]:
    x = rng.normal(size=n)
    y = 0.6 * x + rng.normal(size=n)
    if decimals is not None:
        x, y = np.round(x, decimals), np.round(y, decimals)
    correlations.append((name, x, y))
correlations.append(("all agree", np.arange(60.0), np.arange(60.0) ** 2))
correlations.append(("all but one pair agree", np.arange(40.0), np.r_[1.0, 0.0, np.arange(2.0, 40.0)]))


def correlation(name, x, y):
    s, k = stats.spearmanr(x, y), stats.kendalltau(x, y)
    return {"name": name, "x": x.tolist(), "y": y.tolist(), "spearman": [s[0], s[1]],
            "kendall": [k[0], k[1]]}


p = np.concatenate([rng.uniform(size=12), rng.uniform(size=6) ** 6, [0.5, 0.5, 1, 0]])


def interval(difference, t, df):
    """90 %; by its root, since older scipy's t.ppf is good to 1e-9 only."""
    half = difference / t * brentq(lambda q: stats.t.sf(q, df) - 0.05, 0, 1e3, xtol=1e-14, rtol=1e-14)
    return [difference - half, difference + half]


samples = []
for a, b in [(3, 3), (3, 5), (2, 40), (100, 100)]:
    x, y = rng.normal(50, 10, a), rng.normal(55, 3, b)
    means = CompareMeans(DescrStatsW(x), DescrStatsW(y))
    t, p_value, df = means.ttest_ind(usevar="unequal")
    one = {"x": x.tolist(), "y": y.tolist(), "welch": [t, df, p_value, *interval(x.mean() - y.mean(), t, df)]}
    if a == b:
        pairs = DescrStatsW(x - y)
        t, p_value, df = pairs.ttest_mean()
        one["paired"] = [t, df, p_value, *interval((x - y).mean(), t, df)]
    samples.append(one)
t = [[v, f] for v in (1e-9, 0.3, 1.0, 2.5, 8, 40, 300) for f in (1, 2.2, 4, 30, 998.5, 20000)]
z = [1e-9, 0.2, 1, 1.7, 1.75, 3, 8, 20, 37]
print(json.dumps({
    "versions": {"scipy": scipy.__version__, "statsmodels": statsmodels.__version__},
    "correlations": [correlation(*one) for one in correlations],
    "p": p.tolist(),
    "holm": multipletests(p, method="holm")[1].tolist(),
    "bh": multipletests(p, method="fdr_bh")[1].tolist(),
    "samples": samples,
    "t": [[v, f, 2 * stats.t.sf(v, f)] for v, f in t],
    "z": [[v, 2 * stats.norm.sf(v)] for v in z],
}))
