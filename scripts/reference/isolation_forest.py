"""Writes packages/core/test/reference/isolation_forest.json: what scikit-learn's IsolationForest does on a small data set.

    python scripts/reference/isolation_forest.py        (needs numpy and scikit-learn)

`trees`, `offset`, `score_samples`, `decision_function`: of one small forest, to score its trees with ours.
`mean_scores`, `score_deviation`: of each row over many seeds of a forest of 100 trees, to compare forests grown by ours;
`mean_percentiles`, `percentile_deviations`: of the scores of all rows, over those seeds;
`auroc`: on the planted outliers (the last rows), mean over those seeds.
`cases`: small forests with other settings, each scored on `rows` and on `edge_rows`, where a value is the 32-bit float nearest to a
threshold of the tree that tests it, or one of its neighbours.
"""

import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

ROWS, OUTLIERS, FEATURES, SEEDS = 150, 8, 6, 40
PERCENTILES = [1, 10, 50, 90, 99]
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


def tree_json(estimator, columns=None) -> dict:
    """`columns`: those of the data that the tree was grown on (max_features < 1); features then count in the data's columns."""
    tree = estimator.tree_
    feature = tree.feature if columns is None else np.where(tree.feature < 0, tree.feature, columns[np.maximum(tree.feature, 0)])
    return {
        "feature": feature.tolist(),
        "threshold": tree.threshold.tolist(),
        "left": tree.children_left.tolist(),
        "right": tree.children_right.tolist(),
        "n_node_samples": tree.n_node_samples.tolist(),
    }


def edge_rows(forest, rows: np.ndarray) -> np.ndarray:
    """Rows of the data with one value at, just below and just above a threshold in double precision."""
    found = []
    for estimator, columns in zip(forest.estimators_, forest.estimators_features_):
        tree = estimator.tree_
        for node in np.flatnonzero(tree.children_left >= 0)[:10]:
            nearest = np.float32(tree.threshold[node])
            for value in (np.nextafter(nearest, np.float32(-np.inf)), nearest, np.nextafter(nearest, np.float32(np.inf))):
                row = rows[len(found) % len(rows)].copy()
                row[columns[tree.feature[node]]] = value
                found.append(row)
    return np.array(found[:40], np.float32).reshape(-1, rows.shape[1])


CASES = {
    "defaults": {},
    "contamination 0.5": {"contamination": 0.5},
    "max_features 0.5": {"max_features": 0.5, "contamination": 0.1},
    "max_features 1": {"max_features": 1},
    "max_samples 1": {"max_samples": 1},
    "max_samples 2": {"max_samples": 2, "contamination": 0.1},
    "max_samples 0.3": {"max_samples": 0.3},
    "bootstrap": {"bootstrap": True, "contamination": 0.02},
    "64-bit values": {"rows": "float64"},
    "great and small values": {"rows": "scaled"},
}


def case_json(rows: np.ndarray, settings: dict) -> dict:
    settings = dict(settings)
    kind = settings.pop("rows", "")
    scale = np.array([1e30, 1e-30, 1e-42, 1, 1, 1]) if kind == "scaled" else 1
    given = rows.astype(np.float64) * scale + (1e-9 if kind == "float64" else 0)
    forest = IsolationForest(n_estimators=2, random_state=5, **settings).fit(given)
    edges = edge_rows(forest, given.astype(np.float32))
    scored = np.concatenate([given, edges])
    return {
        "rows": scored[-46:].tolist(),
        "trees": [tree_json(*pair) for pair in zip(forest.estimators_, forest.estimators_features_)],
        "max_samples": int(forest._max_samples),
        "offset": float(forest.offset_),
        "score_samples": forest.score_samples(scored[-46:]).tolist(),
        "decision_function": forest.decision_function(scored[-46:]).tolist(),
    }


def main() -> None:
    rows = make_rows()
    planted = np.arange(ROWS) >= ROWS - OUTLIERS
    small = IsolationForest(n_estimators=12, max_samples=64, contamination=0.07, random_state=3).fit(rows)
    scores = np.array(
        [IsolationForest(n_estimators=100, random_state=seed).fit(rows).score_samples(rows) for seed in range(SEEDS)]
    )
    percentiles = np.percentile(scores, PERCENTILES, axis=1)
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
        "percentiles": PERCENTILES,
        "mean_percentiles": percentiles.mean(axis=1).tolist(),
        "percentile_deviations": percentiles.std(axis=1, ddof=1).tolist(),
        "cases": {name: case_json(rows, settings) for name, settings in CASES.items()},
        "auroc": float(np.mean([roc_auc_score(planted, -score) for score in scores])),
    }
    TARGET.write_text(json.dumps(reference) + "\n")


if __name__ == "__main__":
    main()
