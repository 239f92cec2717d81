#!/usr/bin/env python3
"""Chatterji's module criticality of the nine models in methods/, beside their accuracy: the table in docs/measures.md.

    python module_criticality.py [--images 500] [--out module-criticality] [critmap ...]     # needs scipy

The initial weights are those that train_methods.py began with (methods/initial.safetensors). --out is a folder for the runs,
which go on where they were stopped; the words at the end are the program, `npx critmap` by default. Accuracies are of the
10,000 held-out images, as README.md has them; of these, images.npz has 1,000.
"""
import argparse
import json
import math
import subprocess
from pathlib import Path

from scipy import stats

HERE = Path(__file__).resolve().parent
ACCURACY = {"baseline": 92.71, "recipe": 93.55, "augmentation": 90.95, "adversarial-4": 89.69, "adversarial-10": 88.73,
            "adversarial-25": 85.68, "contrastive": 82.83, "rotation": 79.75, "random": 51.74}


def measure(name, args):
    """The result as critmap prints it."""
    weights = lambda method: str(HERE / "methods" / f"{method}.safetensors")
    words = ["module-criticality", str(HERE / "methods" / "network.onnx"), "--weights", weights(name),
             "--donor", weights("initial"), "--data", str(HERE / "images.npz"), "--images", str(args.images),
             "--name", name, "--out", str(Path(args.out) / name), "--json"]
    return json.loads(subprocess.run([*args.program, *words], stdout=subprocess.PIPE, check=True).stdout)


def correlated(what, sums, accuracies):
    """Spearman's rho with Bonett and Wright's interval, Pearson's r of the logarithm with Fisher's."""
    rho = stats.spearmanr(sums, accuracies)
    reach = stats.norm.ppf(0.975) * math.sqrt((1 + rho.statistic ** 2 / 2) / (len(sums) - 3))
    low, high = (math.tanh(math.atanh(rho.statistic) + side * reach) for side in (-1, 1))
    r = stats.pearsonr([math.log10(one) for one in sums], accuracies)
    within = r.confidence_interval(0.95)
    print(f"| {what} | {len(sums)} | {rho.statistic:+.2f} ({low:+.2f} to {high:+.2f}), p {rho.pvalue:.2g} "
          f"| {r.statistic:+.2f} ({within.low:+.2f} to {within.high:+.2f}), p {r.pvalue:.2g} |")


def main():
    options = argparse.ArgumentParser(description="Module criticality of the example study's models.")
    options.add_argument("--images", type=int, default=500)
    options.add_argument("--out", default="module-criticality")
    options.add_argument("program", nargs="*", default=["npx", "critmap"])
    args = options.parse_args()
    found = {name: measure(name, args) for name in ACCURACY}
    print("| model | network criticality | accuracy | most critical module | modules at 0 |\n| --- | ---: | ---: | --- | ---: |")
    size = lambda name: math.inf if found[name]["sum"] is None else found[name]["sum"]
    for name in sorted(found, key=size):
        modules = found[name]["modules"]
        most = max(modules, key=lambda m: math.inf if m["value"] is None else m["value"])
        zero = sum(m["value"] == 0 for m in modules)
        shown = "none" if found[name]["sum"] is None else f"{found[name]['sum']:,.0f}"
        print(f"| `{name}` | {shown} | {ACCURACY[name]:.1f} % | `{most['module']}` | {zero} of {len(modules)} |")
    print("\n| over | models | Spearman | Pearson of the logarithm |\n| --- | ---: | --- | --- |")
    known = [name for name in found if found[name]["sum"]]
    for what, names in (("all", known), ("without `random`", [name for name in known if name != "random"])):
        correlated(what, [found[name]["sum"] for name in names], [ACCURACY[name] for name in names])


if __name__ == "__main__":
    main()
