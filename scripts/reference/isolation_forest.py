"""Writes packages/core/test/reference/isolation_forest.json: what scikit-learn's IsolationForest does on a small data set.

    python scripts/reference/isolation_forest.py        (needs numpy and scikit-learn)

`trees`, `offset`, `score_samples`, `decision_function`: of one small forest, to score its trees with ours.
`mean_scores`, `score_deviation`: of each row over many seeds of a forest of 100 trees, to compare forests grown by ours;
`auroc`: on the planted outliers (the last rows), mean over those seeds.
"""

import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

ROWS, OUTLIERS, FEATURES, SEEDS = 150, 8, 6, 40
TARGET = Path(__file__).parents[2] / "packages/core/test/reference/isolation_forest.json"


def make_rows() -> np.ndarray:
    """Two clusters, doubled rows, a constant and a two-valued column; the last rows are outliers."""
    rng = np.random.default_rng(7)
    rows = rng.standard_normal((ROWS, FEATURES)) * [1, 5, 0.1, 1, 1, 1]
    rows[: ROWS // 2, 0] += 4
    rows[20:24] = rows[20]
    rows[-OUTLIERS:, :4] = rng.uniform(-3, 3, (OUTLIERS, 4)) * [2, 10, 0.2, 2]
    rows[:, 4] = 0.5
    rows[:, 5] = rows[:, 5] > 1
    return np.round(rows, 3).astype(np.float32)


def tree_json(estimator) -> dict:
    tree = estimator.tree_
    return {
        "feature": tree.feature.tolist(),
        "threshold": tree.threshold.tolist(),
        "left": tree.children_left.tolist(),
        "right": tree.children_right.tolist(),
        "n_node_samples": tree.n_node_samples.tolist(),
    }


def main() -> None:
    rows = make_rows()
    planted = np.arange(ROWS) >= ROWS - OUTLIERS
    small = IsolationForest(n_estimators=12, max_samples=64, contamination=0.07, random_state=3).fit(rows)
    scores = np.array(
        [IsolationForest(n_estimators=100, random_state=seed).fit(rows).score_samples(rows) for seed in range(SEEDS)]
    )
    reference = {
        "scikit_learn": sklearn.__version__,
        "outliers": OUTLIERS,
        "rows": [[float(str(value)) for value in row] for row in rows],
        "max_samples": int(small.max_samples_),
        "contamination": 0.07,
        "offset": float(small.offset_),
        "trees": [tree_json(estimator) for estimator in small.estimators_],
        "score_samples": small.score_samples(rows).tolist(),
        "decision_function": small.decision_function(rows).tolist(),
        "seeds": SEEDS,
        "mean_scores": scores.mean(axis=0).tolist(),
        "score_deviation": scores.std(axis=0, ddof=1).tolist(),
        "auroc": float(np.mean([roc_auc_score(planted, -score) for score in scores])),
    }
    TARGET.write_text(json.dumps(reference) + "\n")


if __name__ == "__main__":
    main()
