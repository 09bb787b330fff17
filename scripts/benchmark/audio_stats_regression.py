"""What audio_cnn is measured against: logistic regression on audio_stats, k-fold with speakers apart.

    python scripts/benchmark/audio_stats_regression.py embeddings_audio.h5 [--folds 5]

The file is `embed`'s, of clips named as CREMA-D's (the speaker before the first _). Needs h5py and scikit-learn.
"""
import argparse
import json

import h5py
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--folds", type=int, default=5)
    options = parser.parse_args()
    with h5py.File(options.file) as file:
        rows = file["all"]
        values = rows["embeddings"][:]
        labels = rows["labels"].asstr()[:]
        speakers = [path.rsplit("/", 1)[-1].split("_")[0] for path in rows["paths"].asstr()[:]]
    recalls = []
    for train, test in GroupKFold(options.folds, shuffle=True, random_state=1).split(values, labels, speakers):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000, class_weight="balanced"))
        model.fit(values[train], labels[train])
        recalls.append(balanced_accuracy_score(labels[test], model.predict(values[test])))
    print(json.dumps({"folds": recalls, "uar": np.mean(recalls), "deviation": np.std(recalls)}))


if __name__ == "__main__":
    main()
