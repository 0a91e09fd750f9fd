# SPDX-License-Identifier: Apache-2.0
"""The two workflows in whole backtests: what they hold, when they move, that they come back from
refusals, and that a run repeats itself and its journal.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pytest

from hean.backtest.journaling import finish_journal, replay, start_journal
from hean.backtest.run import Backtest, BacktestSettings
from hean.backtest.tiers import Tier
from hean.backtest.working import Post, Working
from hean.core.types import Command, EventType, OrderRequest
from hean.errors import ParameterInvalid
from hean.feeds.history import load_history
from hean.processes import load_process
from hean.processes.process import DAY_NS
from hean.processes.rebalance import Rebalance
from hean.processes.rotation import Rotation
from hean.processes.scan import MarketFacts, scan
from process_markets import Played, write_bars, write_rates

COINS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
LEGS = ("BTCUSDT@spot", "BTCUSDT@perp", "ETHUSDT@spot", "ETHUSDT@perp")
ALL_IN = {"capital_min": 0.9, "drawdown_max": 1.0}
LOW, HIGH = 0.00001, 0.0005


def rebalanced(folder: Path, *, days: int = 10, **given: object) -> Played:
    files = [write_bars(folder, coin, "spot", days=days) for coin in COINS]
    return Played("rebalance", COINS, files, given={**ALL_IN, **given})


def rotated(folder: Path, btc: list[float], eth: list[float], **given: object) -> Played:
    """Rates per settlement of both perpetuals."""
    days = len(btc) // 3 + 1
    files = [
        write_bars(folder, pair, market, days=days)
        for pair, market in itertools.product(("BTCUSDT", "ETHUSDT"), ("spot", "perp"))
    ]
    files += [write_rates(folder, "BTCUSDT", btc), write_rates(folder, "ETHUSDT", eth)]
    return Played("rotation", LEGS, files, given={**ALL_IN, "certainty": 0.5, **given})


def noisy(level: float, count: int, seed: int = 3) -> list[float]:
    draw = np.random.default_rng(seed)
    return [float(x) for x in level + draw.normal(0, 1e-6, count)]


def switching(folder: Path) -> Played:
    """BTC pays well, then ETH does, then neither."""
    btc = noisy(HIGH, 60) + noisy(LOW, 120)
    eth = noisy(LOW, 60, 4) + noisy(HIGH, 60, 4) + noisy(-HIGH, 60, 4)
    return rotated(folder, btc, eth, horizon=60, memory=40)


MARKETS: dict[str, Callable[[Path], Played]] = {
    "rebalance": lambda f: rebalanced(f, band=0.0),
    "rotation": switching,
}


# ---------------------------------------------------------------- both


@pytest.mark.promise(21)
@pytest.mark.parametrize("name", MARKETS)
def test_a_replay_and_a_second_run_end_where_the_run_did(name: str, tmp_path: Path) -> None:
    played = MARKETS[name](tmp_path)
    files = [tmp_path / it for it in sorted(os.listdir(tmp_path))]
    by_name = {file.name: file for file in files}
    files = [by_name[print_["file"]] for print_ in played.run.history.fingerprints]
    journal = start_journal(tmp_path / "run.journal", played.run, files)
    summary = played.play().summary
    finish_journal(journal, played.run)
    again = replay(tmp_path / "run.journal")
    assert again["state_hash"] == summary["state_hash"]
    assert again["strategy"] == name
    second = MARKETS[name](tmp_path).play()
    assert second.summary["state_hash"] == summary["state_hash"]
    assert second.summary["processes"] == summary["processes"]
    journaled = [c.data for c in second.of(EventType.COMMAND)]
    assert {c.verb for c in journaled} == {"process", "process.capital"}


@pytest.mark.parametrize("name", MARKETS)
def test_the_money_adds_up_at_every_event_and_every_request_has_a_verdict(
    name: str, tmp_path: Path
) -> None:
    played = MARKETS[name](tmp_path)
    factory = played.run.system.factory
    checked = 0

    def audit(_event: object) -> None:
        nonlocal checked
        checked += 1
        split = factory.split()
        assert sum(split[:4]) == split.equity

    for kind in (EventType.ORDER_FILLED, EventType.FUNDING, EventType.COMMAND, EventType.CANDLE):
        played.run.bus.subscribe(kind, audit)
    played.play()
    played.run.system.sub_books.check()
    asked = {event.data.order_id for event in played.of(EventType.ORDER_REQUEST)}
    judged = {
        event.data.order_id
        for kind in (EventType.ORDER_APPROVED, EventType.ORDER_REJECTED)
        for event in played.of(kind)
    }
    assert checked > 100
    assert asked == judged
    assert len(asked) == played.summary["processes"][0]["orders"] > 4


@pytest.mark.parametrize("name", MARKETS)
def test_a_process_needs_every_fact(name: str, tmp_path: Path) -> None:
    played = MARKETS[name](tmp_path)
    with pytest.raises(ParameterInvalid, match="run tier event"):
        Backtest(msgspec.structs.replace(played.settings, tier=Tier.WAKE), played.run.history)


# ---------------------------------------------------------------- rebalance


def weights(played: Played) -> np.ndarray:
    work = played.work
    values = [float(work.held(coin)) * (work.price(coin) or 0.0) for coin in COINS]
    return np.array(values) / work.capital()


def test_weights_come_back_once_a_day_and_what_is_sold_comes_first(tmp_path: Path) -> None:
    played = rebalanced(tmp_path, band=0.0).play()
    assert weights(played) == pytest.approx(0.98 / 3, rel=0.1)
    by_day: dict[int, list[OrderRequest]] = {}
    for event in played.of(EventType.ORDER_REQUEST):
        by_day.setdefault(event.ts_ns // DAY_NS, []).append(event.data)
    assert len(by_day) == 10
    for requests in by_day.values():
        sides = [request.side for request in requests]
        assert sides == sorted(sides, reverse=True)  # SELL before BUY
    assert played.summary["orders_rejected"] == 0


def test_a_wide_band_buys_once_and_holds(tmp_path: Path) -> None:
    played = rebalanced(tmp_path, band=0.99).play()
    assert len(played.of(EventType.ORDER_REQUEST)) == 3


@pytest.mark.parametrize("rule", ["inverse_volatility", "equal_risk"])
def test_a_rule_of_risk_waits_for_its_days_and_gives_the_calm_more(
    rule: str, tmp_path: Path
) -> None:
    """All three are as volatile by making; the rule has to find that, within its error."""
    played = rebalanced(tmp_path, days=40, weights=rule).play()
    first = played.of(EventType.ORDER_REQUEST)[0].ts_ns
    start = played.run.history.start_ns
    assert 20 * DAY_NS <= first - start <= 22 * DAY_NS
    assert weights(played).sum() == pytest.approx(0.98, abs=0.06)
    assert weights(played) == pytest.approx(0.98 / 3, rel=0.5)


def test_capital_that_is_called_back_is_sold_for_and_comes(tmp_path: Path) -> None:
    """Half way the person wants 3,000 back; the next morning it is sold for, and free."""
    played = rebalanced(tmp_path)
    factory, bus = played.run.system.factory, played.run.bus
    asked = []

    def ask(event: object) -> None:
        if len(asked) == 0 and played.run.clock.now_ns > played.run.history.start_ns + 5 * DAY_NS:
            arguments = {"name": "rebalance", "amount": "-3000", "reason": "a bill"}
            asked.append(factory.split())
            bus.emit(Command("process.capital", arguments, "anna"))
            factory.works["rebalance"].process.p.capital_min = 0.0
            factory.works["rebalance"].process.p.move_cost = 0.1  # and nothing is put back

    bus.subscribe(EventType.CANDLE, ask)
    played.play()
    before, after = asked[0], factory.split()
    assert after.in_transit == 0
    assert after.free - before.free >= 3_000
    assert float(after.allocated) < float(before.allocated) - 2_000


def test_too_few_symbols_are_refused() -> None:
    with pytest.raises(ParameterInvalid, match="two or more"):
        Rebalance(("BTCUSDT",))


# ---------------------------------------------------------------- rotation


def test_it_is_where_funding_is_best_and_nowhere_when_none_pays(tmp_path: Path) -> None:
    played = switching(tmp_path).play()
    bought = [
        event.data.symbol
        for event in played.of(EventType.ORDER_REQUEST)
        if event.data.side == "BUY" and event.data.symbol.endswith("@spot")
    ]
    assert list(dict.fromkeys(bought)) == ["BTCUSDT@spot", "ETHUSDT@spot"]
    assert not any(played.work.held(leg) for leg in LEGS)
    assert Decimal(played.summary["processes"][0]["funding_received"]) > 50
    assert played.summary["orders_rejected"] == 0


def test_legs_are_level_after_every_fill_but_the_first_of_two(tmp_path: Path) -> None:
    """Longest time that one leg was alone: the time between two fills of one decision."""
    played = switching(tmp_path)
    work = played.work
    alone_since, longest = None, 0

    def look(event: object) -> None:
        nonlocal alone_since, longest
        now_ns = played.run.clock.now_ns
        is_level = all(work.held(leg) + work.held(leg[:7] + "@perp") == 0 for leg in LEGS[::2])
        if is_level:
            longest = max(longest, now_ns - alone_since) if alone_since is not None else longest
            alone_since = None
        elif alone_since is None:
            alone_since = now_ns

    played.run.bus.subscribe(EventType.ORDER_FILLED, look)
    played.play()
    assert alone_since is None
    assert longest <= 1_000_000_000


def test_a_leg_that_is_refused_leaves_nothing_behind(tmp_path: Path) -> None:
    """The governor refuses every sale of the ETH perpetual: coins bought with it are sold again."""
    played = switching(tmp_path)

    def refuse(request: OrderRequest) -> str | None:
        is_short = request.symbol == "ETHUSDT@perp" and not request.reduce_only
        return "not this one" if is_short else None

    played.run.system.governor.add_check(refuse, name="test")
    played.play()
    assert played.summary["orders_rejected"] > 0
    assert not any(played.work.held(leg) for leg in LEGS)
    spot = [f for f in played.record.fills if f.symbol == "ETHUSDT@spot"]
    times = [fill.ts_ns for fill in spot]
    assert spot
    for bought, sold in zip(times[::2], times[1::2], strict=True):
        assert sold - bought <= 2_000_000_000


def test_legs_without_a_partner_are_refused() -> None:
    with pytest.raises(ParameterInvalid, match="BTCUSDT@spot has no other leg"):
        Rotation(("BTCUSDT@spot", "ETHUSDT@spot", "ETHUSDT@perp"))


# ---------------------------------------------------------------- looking around


def test_the_scan_gives_each_market_to_one() -> None:
    markets = [MarketFacts(leg, "spot" if "spot" in leg else "linear") for leg in LEGS]
    pairs, coins = (LEGS, (LEGS[0], LEGS[2]))
    assert [tuple(it) for it in scan(markets, [Rotation, Rebalance])] == [("rotation", pairs)]
    assert [tuple(it) for it in scan(markets, [Rebalance, Rotation])] == [("rebalance", coins)]
    assert scan(markets[:1], [Rebalance, Rotation]) == ()
    assert scan(markets, [Rebalance]) == scan(markets, [Rebalance])


def test_the_pair_that_paid_most_comes_first() -> None:
    markets = [MarketFacts(leg, "linear", funding=float("ETH" in leg)) for leg in LEGS]
    assert Rotation.candidates(markets) == ((*LEGS[2:], *LEGS[:2]),)


def test_an_unknown_process_names_the_nearest() -> None:
    with pytest.raises(ParameterInvalid, match="unknown process 'rotate'; nearest rotation"):
        load_process("rotate")


# ---------------------------------------------------------------- recorded data


def test_recorded_funding_is_rotated_into_and_replayed(shared: Path, tmp_path: Path) -> None:
    """BTC and ETH, January and February 2025: ETH first, then BTC, and the journal agrees."""
    data = shared / "data"
    files = [
        data / f"candles/binance_{market}_{pair}_5m_2024-12-31_2025-10-31.parquet"
        for pair, market in itertools.product(("BTCUSDT", "ETHUSDT"), ("spot", "perp"))
    ]
    files += [
        data / f"funding/binance_perp_{pair}_8h_2020-01-01_2025-10-31.parquet"
        for pair in ("BTCUSDT", "ETHUSDT")
    ]
    end_ns = 1_738_800_000 * 10**9  # 2025-02-06
    working = Working((Post("rotation", LEGS, dict(ALL_IN)),))
    history = load_history(files, LEGS, end_ns=end_ns)
    run = Backtest(BacktestSettings("", LEGS, working=working), history)
    journal = start_journal(tmp_path / "run.journal", run, files)
    summary, record = run.run()
    finish_journal(journal, run)
    opened = [fill.symbol for fill in record.fills if fill.side == "BUY" and "spot" in fill.symbol]
    assert opened == ["ETHUSDT@spot", "BTCUSDT@spot"]
    assert replay(tmp_path / "run.journal")["state_hash"] == summary["state_hash"]
