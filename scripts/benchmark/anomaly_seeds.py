"""Fits scikit-learn's IsolationForest by many seeds: the peer of anomalySeeds.mjs, which starts it.

    python anomaly_seeds.py ROWS.f32 COLUMNS OUTLIERS SEEDS    (needs numpy and scikit-learn)

ROWS.f32: 32-bit floats [N, COLUMNS], the last OUTLIERS rows planted. Prints JSON: for each seed [AUROC, quantiles of -score_samples …].
"""

import json
import sys

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

QUANTILES = [0.01, 0.1, 0.5, 0.9, 0.99]


def main() -> None:
    path, columns, outliers, seeds = sys.argv[1], *map(int, sys.argv[2:5])
    rows = np.fromfile(path, "<f4").reshape(-1, columns)
    planted = np.arange(len(rows)) >= len(rows) - outliers
    results = []
    for seed in range(seeds):
        scores = -IsolationForest(n_estimators=100, random_state=seed).fit(rows).score_samples(rows)
        results.append([roc_auc_score(planted, scores), *np.quantile(scores, QUANTILES)])
    print(json.dumps(results))


if __name__ == "__main__":
    main()
