"""Writes small isolation forests as Python saves them under packages/core/test/fixtures/sklearn/, and oracle.json: their scores.

    python scripts/reference/sklearn_forests.py        (needs scikit-learn and joblib)

Run it with each version of scikit-learn that is to be covered: every run writes forest_VERSION.joblib and, with the newest
(1.9), the other kinds of file. The committed ones are of 1.2.1 (numpy 1.24, joblib 1.2), 1.6.1 (numpy 1.26) and 1.9.1 (numpy
2.4). `like_1.0.joblib` is an imitation, made with 1.2: attributes under the names of 1.0, arrays without joblib's padding,
which came with joblib 1.2.
"""

import gzip
import json
import pickle
from pathlib import Path

import joblib
import numpy as np
import sklearn
from joblib.numpy_pickle import NumpyPickler
from sklearn.ensemble import IsolationForest
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

TARGET = Path(__file__).parents[2] / "packages/core/test/fixtures/sklearn"
VERSION = tuple(int(part) for part in sklearn.__version__.split(".")[:2])
FEATURES = 6
#: Values of the embeddings that `embed` makes of faces and of sound, which the tests of predict feed to a forest.
FACE, AUDIO_STATS = 256, 496


def make_rows(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((count, FEATURES)) * [1, 5, 0.1, 1, 30, 1] + [0, 2, 0, -1, 50, 0]
    rows[:, 5] = rows[:, 5] > 0
    return np.round(rows, 3).astype(np.float32)


ROWS, TRAINING = make_rows(1, 12), make_rows(0, 60)


def forest(rows: np.ndarray = TRAINING, **settings) -> IsolationForest:
    settings = {"n_estimators": 4, "max_samples": 16, "contamination": 0.1, "random_state": 3} | settings
    return IsolationForest(**settings).fit(rows)


class BigEndian(NumpyPickler):
    """What a machine of the other byte order writes."""

    def save(self, obj):
        if type(obj) is np.ndarray and not obj.dtype.hasobject:
            obj = obj.astype(obj.dtype.newbyteorder(">"))
        return super().save(obj)


class Unpadded(NumpyPickler):
    """What joblib before 1.2 writes."""

    def _create_array_wrapper(self, array):
        wrapper = super()._create_array_wrapper(array)
        del wrapper.numpy_array_alignment_bytes
        return wrapper


def dump_by(pickler, value, name: str) -> None:
    with open(TARGET / name, "wb") as file:
        pickler(file).dump(value)


def like_1_0(model: IsolationForest) -> IsolationForest:
    state = vars(model)
    for name in ("estimator", "_estimator"):
        state.pop(name, None)
    state |= {"base_estimator": None, "base_estimator_": None}
    del state["_max_samples"]
    return model


class OfVersion1_0(IsolationForest):
    def __getstate__(self):
        return super().__getstate__() | {"_sklearn_version": "1.0.2"}


OfVersion1_0.__name__ = OfVersion1_0.__qualname__ = "IsolationForest"
OfVersion1_0.__module__ = "sklearn.ensemble._iforest"


def main() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    oracle_path = TARGET / "oracle.json"
    oracle = json.loads(oracle_path.read_text()) if oracle_path.exists() else {"files": {}}
    oracle["rows"] = [[float(str(value)) for value in row] for row in ROWS]

    def note(name: str, model: IsolationForest, scaler=None, version: str = sklearn.__version__) -> None:
        rows = ROWS if scaler is None else scaler.transform(ROWS)
        oracle["files"][name] = {
            "version": version,
            "offset": float(model.offset_),
            "max_samples": int(model.max_samples_),
            "trees": len(model.estimators_),
            "decision_function": model.decision_function(rows).tolist(),
        }

    model = forest()
    name = f"forest_{sklearn.__version__}.joblib"
    joblib.dump(model, TARGET / name)
    note(name, model)
    if VERSION < (1, 3):
        note("like_1.0.joblib", model, version="1.0.2")
        old = like_1_0(forest())
        old.__class__ = OfVersion1_0
        # The pickled name is that of the class of the library, which differs from this one.
        import sklearn.ensemble._iforest as module

        module.IsolationForest, kept = OfVersion1_0, module.IsolationForest
        dump_by(Unpadded, old, "like_1.0.joblib")
        module.IsolationForest = kept
    if VERSION >= (1, 9):
        for name, compress in (("zlib.joblib", 3), ("gzip.joblib", ("gzip", 3))):
            joblib.dump(model, TARGET / name, compress=compress)
            note(name, model)
        for protocol in (2, 3, 4, 5):
            (TARGET / f"protocol{protocol}.pkl").write_bytes(pickle.dumps(model, protocol))
            note(f"protocol{protocol}.pkl", model)
        dump_by(BigEndian, model, "big_endian.joblib")
        note("big_endian.joblib", model)

        auto = forest(contamination="auto", max_samples="auto", random_state=np.random.RandomState(5), n_estimators=2)
        auto.feature_names_in_ = np.array([f"feature {i}" for i in range(FEATURES)], dtype=object)
        beside = {
            "model": auto,
            "threshold": np.float64(0.25),
            "features": [np.str_("a"), "b"],
            "names": np.array(["angry", "überrascht"]),
            "generator": np.random.default_rng(1),
            "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
            "empty": np.zeros((0, 3)),
            "no axes": np.array(1.5),
            "trained": True,
            "note": None,
        }
        joblib.dump(beside, TARGET / "dict.joblib")
        note("dict.joblib", auto)
        (TARGET / "dict_protocol2.pkl").write_bytes(pickle.dumps(beside, 2))
        note("dict_protocol2.pkl", auto)

        some = forest(max_features=0.5)
        joblib.dump(Bunch(model=some), TARGET / "max_features.joblib")
        note("max_features.joblib", some)

        scaler = StandardScaler().fit(TRAINING)
        scaled = forest(scaler.transform(TRAINING))
        joblib.dump({"detector": {"scaler": scaler, "model": scaled}}, TARGET / "scaler.joblib", compress=3)
        note("scaler.joblib", scaled, scaler)

        wide = np.random.default_rng(2).standard_normal((30, FACE + AUDIO_STATS)).astype(np.float32)
        joblib.dump(forest(wide, max_samples=8, n_estimators=2), TARGET / "face_audio_stats.joblib", compress=3)

        (TARGET / "scaler_alone.pkl").write_bytes(pickle.dumps({"scaler": scaler}))
        (TARGET / "two_forests.pkl.gz").write_bytes(gzip.compress(pickle.dumps({"a": some, "b": auto}), mtime=0))
        (TARGET / "not_fitted.pkl").write_bytes(pickle.dumps(IsolationForest()))
        from sklearn.pipeline import make_pipeline

        (TARGET / "pipeline.pkl").write_bytes(pickle.dumps(make_pipeline(StandardScaler(), IsolationForest())))
    oracle_path.write_text(json.dumps(oracle) + "\n")


if __name__ == "__main__":
    main()
