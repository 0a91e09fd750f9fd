# SPDX-License-Identifier: Apache-2.0
"""Training finds what was planted, finds nothing where nothing is, and repeats itself exactly."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("lightgbm")
pytest.importorskip("xgboost")

from hean.errors import DataInvalid, EnvironmentFault, InputError
from hean.ml import libraries
from hean.ml.check import compare, open_model
from hean.ml.dataset import read_bars
from hean.ml.folder import load_model, read_files, write_model
from hean.ml.metrics import apart, auc, verdict
from hean.ml.training import Plan, slices_of, train
from hean.models.artefact import ModelRefused
from hean.quant.labels import Barriers
from learned_market import FEATURES, rows_of, write_candles

TARGET = Barriers("buy", 6, 1.0, 0.0)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Rows of a market in which a rise is followed by a rise."""
    return rows_of(tmp_path_factory.mktemp("planted"), momentum=0.4, target=TARGET)


@pytest.fixture(scope="module", params=libraries.LIBRARIES)
def model(request, planted, tmp_path_factory):
    """A trained model's folder, and what its training said."""
    folder = tmp_path_factory.mktemp("models") / request.param
    manifest, files = train(planted, Plan("it", request.param, TARGET, folds=2), lambda _: None)
    write_model(folder, manifest, files)
    return folder, manifest, files


def test_what_was_planted_is_found_out_of_sample(model):
    _, manifest, _ = model
    found = manifest.metrics
    assert found["auc"] > 0.6
    assert found["log_loss"] < found["log_loss_base"]
    assert "better than the base rate" in verdict(found)


def test_nothing_is_found_where_nothing_is(tmp_path):
    rows = rows_of(tmp_path, momentum=0.0, target=TARGET)
    manifest, _ = train(rows, Plan("it", "lightgbm", TARGET, folds=2), lambda _: None)
    assert "no skill" in verdict(manifest.metrics)
    assert 0.45 < manifest.metrics["auc"] < 0.55


def test_hean_answers_as_library_and_onnx_on_every_threshold(model):
    folder, _, _ = model
    opened, files, found = open_model(folder)
    found += compare(opened, files)
    assert [each.name for each in found[-2:]] == [opened.manifest.library, "onnx"]
    assert all(each.passed for each in found), found


def test_the_same_data_give_the_same_bytes(model, planted):
    _, manifest, files = model
    plan = Plan("it", manifest.library, TARGET, folds=2)
    again, same = train(planted, plan, lambda _: None)
    assert (again, same) == (manifest, files)


def test_no_part_of_time_knows_of_a_later_one(planted):
    cut = slices_of(planted, TARGET)
    assert cut.embargo >= TARGET.horizon
    parts = (cut.train, cut.calibration, cut.test)
    for before, after in pairwise(parts):
        assert planted.end[before].max() < planted.bar[after].min()
    assert planted.bar[cut.calibration[0]] - planted.end[cut.train[-1]] >= cut.embargo - 6
    assert planted.bar[cut.test[0]] - planted.end[cut.calibration[-1]] >= cut.embargo - 6


def test_a_folder_is_read_back_and_never_written_over(model):
    folder, manifest, files = model
    assert load_model(folder).manifest == manifest
    with pytest.raises(InputError, match="never written over"):
        write_model(folder, manifest, files)


@pytest.mark.parametrize("name", ["manifest.json", "model.onnx"])
def test_a_folder_that_lost_or_changed_a_file_is_refused(model, name, tmp_path):
    _, manifest, files = model
    folder = tmp_path / "it"
    write_model(folder, manifest, files)
    path = folder / name
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ModelRefused):
        load_model(folder)
    path.unlink()
    with pytest.raises(ModelRefused, match="not there"):
        read_files(folder)


def test_a_missing_library_names_its_remedy():
    with pytest.raises(EnvironmentFault, match=r"\./hean setup ml"):
        libraries.load("nobody_has_this")


def test_files_that_hold_no_bars_are_refused(tmp_path):
    path = write_candles(tmp_path, np.full(3000, 100.0))
    with pytest.raises(DataInvalid, match="one file of candles"):
        read_bars([path, path], "BTCUSDT")
    with pytest.raises(DataInvalid, match="never defined: return_1_z"):
        rows_of(tmp_path, momentum=0.0, target=TARGET, names=(*FEATURES, "return_1_z"), bars=1400)


def test_auc_counts_pairs():
    scores, wins = np.array([1.0, 2.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.0, 1.0])
    assert auc(scores, wins) == pytest.approx((1 + 1 + 0.5 + 1) / 4)


def test_rows_apart_do_not_overlap():
    assert apart(np.array([0, 1, 4, 5, 9]), np.array([4, 5, 8, 9, 13])).tolist() == [0, 2, 4]
