# SPDX-License-Identifier: Apache-2.0
"""A model small enough to know by heart: its score is the first feature, rounded to one of three
steps, and its calibration is the logistic function.
"""

from __future__ import annotations

import hashlib

import msgspec

from hean.models.artefact import Drift, LearnedModel, Manifest
from hean.models.features import FeatureSet
from hean.quant.calibration import Calibration
from hean.quant.labels import Barriers

FEATURES = ("return_1", "return_2")
TEXT = """tree
version=v4
num_class=1
num_tree_per_iteration=1
max_feature_idx=1
objective=binary sigmoid:1
feature_names=return_1 return_2
tree_sizes=1

Tree=0
num_leaves=3
num_cat=0
split_feature=0 0
threshold=-0.75 0.75
decision_type=0 0
left_child=-1 -2
right_child=1 -3
leaf_value=-1 0 1
is_linear=0

end of trees
"""


def learned_model(
    *,
    valid_from,
    expires=None,
    horizon=24,
    rows=2000,
    timeframe="1m",
    manifest=None,
    text=TEXT,
) -> LearnedModel:
    """The model. *manifest*: fields to change against what fits; *text*: its tree."""
    files = {"model.txt": text.encode()}
    features = FeatureSet(FEATURES, timeframe)
    tenths = tuple(at / 10 - 0.5 for at in range(1, 10))
    whole = Manifest(
        format=1,
        name="test",
        library="lightgbm",
        files={name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        symbol="BTCUSDT",
        timeframe=timeframe,
        features=features.specs,
        fingerprint=features.fingerprint,
        target=Barriers("buy", horizon, 1.5, 0.001),
        sigma_decay=0.9,
        trained_on=(1, valid_from - 1),
        valid_from=valid_from,
        expires=expires or valid_from + 10**18,
        purge_bars=horizon,
        embargo_bars=horizon,
        parameters={},
        calibration=Calibration("platt", (), (1.0, 0.0)),
        metrics={},
        drift=Drift((tenths,) * 2, ((0.1,) * 10,) * 2, (0.25,) * 2, rows, 0.7, 0.1),
        examples=(((0.0, 0.0), 0.0), ((1.0, 0.0), 1.0)),
        versions={},
    )
    return LearnedModel(msgspec.structs.replace(whole, **(manifest or {})), files)
