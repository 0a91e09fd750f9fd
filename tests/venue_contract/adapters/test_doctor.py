# SPDX-License-Identifier: Apache-2.0
"""`hean doctor` at the twins: what is wrong with key, account or clock is found, named with what to
do, and no secret is shown. Each examination is the real command.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hean.secret import MASK
from unit.cli_runs import run_here
from venue_contract.adapters.trading_desk import MARKETS
from venue_contract.twin_process import MAIN, READONLY, SECOND, Account, ControlError, TwinProcess

SYMBOL = "BTCUSDT"
Found = dict[str, dict[str, str]]


class Practice:
    """Where a patient is looked at."""

    def __init__(self, twin: TwinProcess, market: str, folder: Path) -> None:
        self.twin = twin
        self.market = market
        self.folder = folder
        self.code = -1
        self.text = ""

    def look(self, account: Account = MAIN, **more: str) -> Found:
        """The findings by name; `code` is the exit code."""
        rest, ws = self.twin.rest_url, self.twin.ws_base
        given = {
            **dict.fromkeys(("BYBIT_REST_URL", "BINANCE_REST_URL"), rest),
            **dict.fromkeys(("BYBIT_WS_PUBLIC_URL", "BINANCE_WS_URL"), ws),
            "BINANCE_FUTURES_REST_URL": rest,
            "BINANCE_FUTURES_WS_URL": ws,
            "EXCHANGE": self.twin.exchange,
            "API_KEY": account.key,
            "API_SECRET": account.secret,
            "SYMBOLS": SYMBOL,
            "HEAN_DATA_DIR": str(self.folder / "data"),
            **more,
        }
        config = self.folder / "hean.toml"
        config.write_text(f'market = "{self.market}"\ntestnet = true\nwaive_key_addresses = true\n')
        os.environ.update(given)
        try:
            ran = run_here("doctor", "--config", config, "--json", "-")
        finally:
            for name in given:
                os.environ.pop(name, None)
        self.code, self.text = ran.code, ran.stdout + ran.stderr
        assert account.secret not in self.text
        document: dict[str, Any] = json.loads(ran.stdout)
        assert document["exit_code"] == ran.code
        return {finding["name"]: finding for finding in document["findings"]}


@pytest.fixture(scope="module", params=MARKETS, ids=lambda pair: "-".join(pair))
def own_twin(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[TwinProcess, str]]:
    """One for each market, for nobody else: the doctor keeps the documented rate limits, which the
    tests before it at a shared twin have used up.
    """
    venue, market = request.param
    with TwinProcess(venue, tmp_path_factory.mktemp("doctor")) as twin:
        yield twin, market


@pytest.fixture
def practice(own_twin: tuple[TwinProcess, str], tmp_path: Path) -> Iterator[Practice]:
    """One for each market."""
    twin, market = own_twin
    yield Practice(twin, market, tmp_path)
    twin.control.post("calm")


def failed(found: Found) -> list[str]:
    """Names of what must be put right."""
    return [name for name, finding in found.items() if finding["verdict"] == "FAIL"]


def test_a_sound_account_has_nothing_that_must_be_put_right(practice: Practice) -> None:
    found = practice.look()
    assert failed(found) == [], practice.text
    assert practice.code == 0
    for name in ("clock", "key", "trade permission", "orders", "rate budget"):
        assert found[name]["verdict"] == "ok", found[name]
    assert found["address list"]["verdict"] == "warn"


def test_a_wrong_secret_is_refused_and_nothing_more_is_asked(practice: Practice) -> None:
    found = practice.look(replace(MAIN, secret="w" * 32))
    assert failed(found) == ["key"]
    assert practice.code == 1
    assert "API_KEY" in found["key"]["found"]
    assert found["positions"]["verdict"] == "not asked"


def test_a_key_of_another_network_is_refused_naming_the_network(practice: Practice) -> None:
    found = practice.look(Account("elsewhere", "keyofthemainnet000001", "s" * 32))
    assert failed(found) == ["key"]
    assert "is it a key of this network" in found["key"]["found"]
    assert "a key of this network" in found["key"]["remedy"]


def test_a_key_that_only_reads_is_found(practice: Practice) -> None:
    found = practice.look(READONLY)
    assert failed(found) == ["trade permission"]
    assert "only reads" in found["trade permission"]["found"]


def test_a_key_that_could_withdraw_is_found_and_one_bound_to_addresses_is_sound(
    practice: Practice,
) -> None:
    rights = practice.twin.control.manual
    try:
        rights("key_rights", may_withdraw=True, is_bound=True)
        found = practice.look()
    finally:
        rights("key_rights", may_withdraw=False, is_bound=False)
    assert failed(found) == ["withdraw permission"]
    assert found["address list"]["verdict"] == "ok"
    assert "take it away" in found["withdraw permission"]["remedy"]


def test_hedge_mode_is_found(practice: Practice) -> None:
    if practice.market == "spot":
        assert practice.look()["modes"]["found"] == "spot has none"
        return
    where = {"symbol": SYMBOL, "market": "linear"}
    for action in ("cancel_all", "close"):  # a venue changes the mode of a flat account only
        with suppress(ControlError):
            practice.twin.control.manual(action, **where)
    try:
        practice.twin.control.manual("position_mode", **where, mode="hedge")
        assert failed(practice.look()) == ["modes"]
    finally:
        practice.twin.control.manual("position_mode", **where, mode="one_way")


def test_swapped_accounts_are_found_where_the_venue_tells(practice: Practice) -> None:
    told = practice.look(SECOND)["account"]["found"]
    found = practice.look(MAIN, HEAN_ACCOUNT_ID=told if told.isdigit() else "77")
    if (practice.twin.exchange, practice.market) == ("binance", "linear"):
        assert "does not tell" in found["account"]["found"]
        return
    assert failed(found) == ["account"]
    assert "swapped" in found["account"]["remedy"]


@pytest.mark.parametrize(
    ("offset_s", "verdict"), [(0.5, "warn"), (2.0, "FAIL"), (-3_600.0, "FAIL")]
)
def test_a_clock_that_is_off_is_measured(practice: Practice, offset_s: float, verdict: str) -> None:
    practice.twin.control.fault("clock_skew", offset_s=offset_s)
    found = practice.look()
    assert found["clock"]["verdict"] == verdict, found["clock"]
    measured_ms = float(found["clock"]["found"].partition(" ")[0])
    assert measured_ms == pytest.approx(offset_s * 1e3, abs=100)
    assert found["key"]["verdict"] == "ok", "requests are signed with the corrected time"


def test_an_order_the_journal_does_not_know_is_named(practice: Practice) -> None:
    try:
        where = {"symbol": SYMBOL, "market": practice.market, "account": "main"}
        practice.twin.control.manual("place", **where, side="BUY", qty="0.01", price="50000")
        found = practice.look()
        assert found["orders"]["verdict"] == "warn", found["orders"]
        assert "unknown to the journal" in found["orders"]["found"]
    finally:
        practice.twin.control.manual("cancel_all", account="main")


BOTH = {"SYMBOLS": "BTCUSDT@spot,BTCUSDT@perp"}


def test_an_account_of_two_markets_is_looked_over_in_both(practice: Practice) -> None:
    """Coins are no positions; orders and positions bear the names that the symbols have."""
    if practice.twin.exchange != "bybit":
        found = practice.look(**BOTH)
        assert (practice.code, failed(found)) == (1, ["configuration"])
        return
    try:
        for market in ("spot", "linear"):
            where = {"symbol": SYMBOL, "market": market, "account": "main", "side": "BUY"}
            practice.twin.control.manual("place", **where, qty="0.01", price="50000")
            practice.twin.control.manual("place", **where, qty="0.01")  # at market
        found = practice.look(**BOTH)
        assert failed(found) == [], practice.text
        assert "bybit spot+linear testnet" in found["configuration"]["found"]
        assert found["orders"]["found"].startswith("2 unknown to the journal")
        assert found["positions"]["found"] == "BTCUSDT@perp: venue 0.01, journal 0"
    finally:
        practice.twin.control.manual("cancel_all", account="main")
        practice.twin.control.manual("close", symbol=SYMBOL, market="linear")


def test_a_venue_that_is_not_there_is_a_fault_of_the_environment(practice: Practice) -> None:
    name = {"bybit": "BYBIT_REST_URL", "binance": "BINANCE_REST_URL"}[practice.twin.exchange]
    if (practice.twin.exchange, practice.market) == ("binance", "linear"):
        name = "BINANCE_FUTURES_REST_URL"
    found = practice.look(**{name: "http://127.0.0.1:9"})
    assert failed(found) == ["venue"]
    assert practice.code == 3
    assert found["key"]["verdict"] == "not asked"


def test_no_secret_and_no_mask_is_printed(practice: Practice) -> None:
    practice.look()
    assert MAIN.key not in practice.text
    assert MASK not in practice.text
