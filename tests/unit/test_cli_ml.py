# SPDX-License-Identifier: Apache-2.0
"""`hean ml`: a model from a file of candles, checked; and every refusal with its exit code."""

from __future__ import annotations

import json
import sys

import pytest

pytest.importorskip("lightgbm")
pytest.importorskip("xgboost")

from typer.testing import CliRunner

from hean.cli import app
from learned_market import FEATURES, closes_of, write_candles

SMALL = ("--folds", "2", "--horizon", "6", "--width", "1", "--cost", "0")


def run(*arguments: object):
    return CliRunner().invoke(app, ["ml", *map(str, arguments)])


@pytest.fixture(scope="module")
def candles(tmp_path_factory):
    """A file of a market that can be learned."""
    return write_candles(tmp_path_factory.mktemp("data"), closes_of(0.4))


def train(candles, out, *more):
    features = [word for name in FEATURES for word in ("--feature", name)]
    given = ("--data", candles, "--symbol", "BTCUSDT", "--out", out)
    return run("train", *given, *features, *SMALL, *more)


@pytest.fixture(scope="module")
def model(candles, tmp_path_factory):
    """A trained folder."""
    out = tmp_path_factory.mktemp("models") / "btc"
    document = out.with_suffix(".json")
    found = train(candles, out, "--json", document)
    assert found.exit_code == 0, found.output
    return out, json.loads(document.read_bytes()), found.output


def test_train_says_what_it_found_out_of_sample(model):
    out, document, text = model
    assert "Out of sample: better than the base rate" in text
    assert document["features"] == list(FEATURES)
    assert sorted(document["sha256"]) == ["model.onnx", "model.txt"]
    assert document["trained_on"][1] < document["valid_from"] < document["expires"]
    assert document["verdict"] in text
    assert sorted(path.name for path in out.iterdir()) == [
        "manifest.json",
        "model.onnx",
        "model.txt",
    ]


def test_check_proves_a_model(model, tmp_path):
    document = tmp_path / "check.json"
    found = run("check", model[0], "--json", document)
    assert found.exit_code == 0, found.output
    checks = json.loads(document.read_bytes())["checks"]
    names = ["hashes", "features", "examples", "lightgbm", "onnx"]
    assert [check["name"] for check in checks] == names


def test_a_changed_model_is_refused(model, tmp_path):
    folder = tmp_path / "copy"
    folder.mkdir()
    for path in model[0].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    text = (folder / "model.txt").read_text()
    (folder / "model.txt").write_text(text.replace("shrinkage=0.03", "shrinkage=0.04"))
    found = run("check", folder)
    assert found.exit_code == 2
    assert "its SHA-256 is not that of the manifest" in found.stderr


@pytest.mark.promise(123)
def test_a_pickle_is_refused_unread(tmp_path):
    path = tmp_path / "lightgbm_v1.pkl"
    path.write_bytes(b"cos\nsystem\n(S'touch /dev/null'\ntR.")
    found = run("check", path)
    assert found.exit_code == 2
    assert "a pickle runs whatever code it holds" in found.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--target", "tomorrow"), "allowed: triple-barrier"),
        (("--side", "up"), "allowed: buy, sell"),
        (("--library", "catboost"), "allowed: lightgbm, xgboost"),
        (("--folds", "1"), "allowed: 2 to 50"),
        (("--horizon", "0"), "barriers buy horizon 0"),
        (("--feature", "nonsense"), "no feature"),
        (("--expiry-days", "0"), "allowed: 1 to 3650"),
    ],
)
def test_a_bad_option_is_refused_before_training(candles, tmp_path, options, words):
    found = train(candles, tmp_path / "m", *options)
    assert found.exit_code == 2, found.output
    assert words in found.stderr
    assert not list(tmp_path.iterdir())


def test_a_model_is_never_written_over(candles, model):
    found = train(candles, model[0])
    assert found.exit_code == 2
    assert "never written over" in found.stderr


def test_without_the_libraries_the_remedy_is_named(candles, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxmltools", None)
    found = train(candles, tmp_path / "m")
    assert found.exit_code == 3
    assert "./hean setup ml" in found.stderr


def test_help_shows_an_example_and_the_exit_codes():
    for command in ("train", "check"):
        text = " ".join(run(command, "--help").output.split())
        assert "Example: hean ml" in text
        assert "3 library missing" in text
