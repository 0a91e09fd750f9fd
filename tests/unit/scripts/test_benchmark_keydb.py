# SPDX-License-Identifier: Apache-2.0
"""The benchmark of real servers says what it measured, and no more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmark_keydb import EXPECTED, KEY, app
from keyspace_desk import two_servers

pytestmark = pytest.mark.server
QUICK = ("--requests", "2000", "--clients", "5", "--rounds", "1")


@pytest.mark.promise(138)
@pytest.mark.promise(190)
def test_two_servers_are_compared_and_the_promised_ratio_is_judged(tmp_path: Path) -> None:
    with two_servers(tmp_path) as (one, other):
        words = ["--host", "127.0.0.1", "--port", str(one.port), "--against", other.url]
        ran = CliRunner().invoke(app, [*words, *QUICK, "--json", "-"])
        assert ran.exit_code == 0, ran.stderr
        document = json.loads(ran.stdout)
        assert document["cores"] >= 1
        assert set(document["ratios"]) == set(EXPECTED)
        for server in document["servers"]:
            assert server["threads"] == "1"
            for row in server["figures"].values():
                assert row["per_s"] > 0
                assert 0 < row["p50_us"] <= row["p99_us"] <= row["worst_us"]
        reached = "reached" if document["reached"] else "not reached"
        assert f"2-5x: {reached} on this host" in ran.stderr
        assert not list(one.client().scan_iter(f"{KEY}*"))


def test_one_server_has_no_ratio(tmp_path: Path) -> None:
    with two_servers(tmp_path) as (one, _):
        one.client().config_set("requirepass", "secret")
        file = tmp_path / "password"
        file.write_text("secret")
        words = ["--host", "127.0.0.1", "--port", str(one.port), *QUICK]
        ran = CliRunner().invoke(app, words)
        assert (ran.exit_code, "refuses" in ran.stderr) == (2, True)
        ran = CliRunner().invoke(app, [*words, "--password-file", str(file)])
        assert (ran.exit_code, "PIPELINE" in ran.stdout, "2-5x" in ran.stdout) == (0, True, False)


def test_a_server_that_is_away_is_named() -> None:
    ran = CliRunner().invoke(app, ["--host", "127.0.0.1", "--port", "1"])
    assert (ran.exit_code, "127.0.0.1:1 does not answer" in ran.stderr) == (3, True)
