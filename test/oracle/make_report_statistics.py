"""What figures of the published raw results show, by pandas and scipy, for test/figures/published.test.ts.

    python make_report_statistics.py REFERENCE > ../fixtures/report-statistics.json

REFERENCE is a folder with results.csv and accuracies.json of Gavrikov et al. (2024).
"""

import json
import re
import sys
from pathlib import Path

import pandas as pd
from scipy.stats import kendalltau, spearmanr

folder = Path(sys.argv[1])
frame = pd.read_csv(folder / "results.csv")
frame = frame[(frame.model_id != "resnet50_frozen_random") & (frame.layer != "original")]
frame["layer"] = frame.layer.str.removeprefix("model.")
frame["criticality"] = 100 * (1 - frame.pred_cos_sim)
groups = frame.groupby(["model_id", "layer"]).criticality
cells, spread = groups.mean().unstack(), groups.std(ddof=1)
difference = (cells - cells.loc["tv_resnet50"]).drop("tv_resnet50").stack()
means = cells.mean(axis=1)
accuracy = pd.Series(json.loads((folder / "accuracies.json").read_text())).reindex(means.index)
rho, tau = spearmanr(means, accuracy), kendalltau(means, accuracy)
budgets = [
    {"norm": found[1], "budget": float(found[2]), "mean": float(mean)}
    for model, mean in means.items()
    if (found := re.search(r"_(l2|linf)_eps([\d.]+)", model))
]


def extreme(series, at):
    return {"value": float(series[at]), "model": at[0], "layer": at[1]}


json.dump(
    {
        "mean": float(cells.to_numpy().mean()),
        "models": {
            model: [float(row.mean()), float(row.std(ddof=0))] for model, row in cells.iterrows()
        },
        "layers": {
            layer: [float(column.mean()), float(column.std(ddof=0))] for layer, column in cells.items()
        },
        "spread": {"mean": float(spread.mean()), **extreme(spread, spread.idxmax())},
        "max": extreme(difference, difference.idxmax()),
        "min": extreme(difference, difference.idxmin()),
        "spearman": [float(rho.statistic), float(rho.pvalue)],
        "kendall": [float(tau.statistic), float(tau.pvalue)],
        "budgets": budgets,
    },
    sys.stdout,
    indent=1,
)
print()
