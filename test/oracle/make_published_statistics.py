"""Statistics of the published raw results by pandas and scipy, for test/compare/published.test.ts.

    python make_published_statistics.py REFERENCE > ../fixtures/published-statistics.json

REFERENCE is a folder with results.csv, r50_categories.json and accuracies.json of Gavrikov et al. (2024).
"""

import json
import sys
from pathlib import Path

import pandas as pd
from scipy.stats import kendalltau, spearmanr

folder = Path(sys.argv[1])
frame = pd.read_csv(folder / "results.csv")
frame = frame[(frame.model_id != "resnet50_frozen_random") & (frame.layer != "original")]
frame["criticality"] = 100 * (1 - frame.pred_cos_sim)
cells = frame.groupby(["model_id", "layer"]).criticality.mean()
models = cells.groupby("model_id").mean()
categories = {
    model: name
    for name, members in json.loads((folder / "r50_categories.json").read_text()).items()
    for model in members
}
accuracy = pd.Series(json.loads((folder / "accuracies.json").read_text()))
table = pd.DataFrame({"mean": models, "accuracy": accuracy, "category": pd.Series(categories)}).dropna()


def correlated(rows):
    rho, tau = spearmanr(rows["mean"], rows.accuracy), kendalltau(rows["mean"], rows.accuracy)
    return {
        "models": len(rows),
        "spearman": [float(rho.statistic), float(rho.pvalue)],
        "kendall": [float(tau.statistic), float(tau.pvalue)],
    }


json.dump(
    {
        "correlations": {
            "": correlated(table),
            **{name: correlated(table[table.category != name]) for name in sorted(table.category.unique())},
        },
        "categories": {
            name: {
                "models": len(rows),
                "mean": float(rows["mean"].mean()),
                "sd": None if len(rows) < 2 else float(rows["mean"].std()),
                "min": float(rows["mean"].min()),
                "max": float(rows["mean"].max()),
            }
            for name, rows in table.groupby("category")
        },
    },
    sys.stdout,
    indent=1,
)
print()
