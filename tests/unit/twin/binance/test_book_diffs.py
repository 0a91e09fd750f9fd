# SPDX-License-Identifier: Apache-2.0
"""Diff streams of both families of the twin's Binance: each tells everything whoever else listens,
and what nobody listens to costs nothing.
"""

from __future__ import annotations

from typing import Any

import pytest

from binance_desk import BinanceDesk, DeskSession

FAMILIES = [
    ("spot", "", "/api/v3/depth", ("depth", "depth@1000ms")),
    ("linear", "/public", "/fapi/v1/depth", ("depth", "depth@250ms")),
]


def listen(desk: BinanceDesk, door: str, kind: str) -> DeskSession:
    return desk.connect(f"{door}/ws/btcusdt@{kind}")


def changed(session: DeskSession) -> set[tuple[str, str]]:
    found: list[Any] = [frame for frame in session.taken() if frame.get("e") == "depthUpdate"]
    return {(price, quantity) for frame in found for price, quantity in frame["b"] + frame["a"]}


@pytest.mark.parametrize(("market", "door", "path", "kinds"), FAMILIES)
def test_two_names_of_one_rhythm_both_tell_everything(
    market: str, door: str, path: str, kinds: tuple[str, str]
) -> None:
    desk = BinanceDesk(limits_scale=100)
    sessions = [listen(desk, door, kind) for kind in kinds]
    for number in range(4):
        desk.quote(desk.venue.markets[market, "BTCUSDT"], 60_010.0 + 10 * number)
        desk.pass_ms(1_000)
        told = [changed(session) for session in sessions]
        assert told[0] == told[1] != set()


@pytest.mark.parametrize(("market", "door", "path", "kinds"), FAMILIES)
def test_snapshots_gather_nothing_for_streams_that_nobody_hears(
    market: str, door: str, path: str, kinds: tuple[str, str]
) -> None:
    """Once listened to, then left; a dial makes ids jump; the book wanders and is asked for."""
    desk = BinanceDesk(limits_scale=100)
    where = desk.venue.markets[market, "BTCUSDT"]
    session = listen(desk, door, kinds[0])
    assert len(where.diffs) == 1
    desk.dialect.closed(session)
    desk.dialect.reset_books(where, is_restart=False)
    desk.get(path, symbol="BTCUSDT")
    assert where.diffs == set()


@pytest.mark.parametrize(("market", "door", "path", "kinds"), FAMILIES)
def test_a_level_that_only_a_snapshot_showed_is_removed_by_the_next_frame(
    market: str, door: str, path: str, kinds: tuple[str, str]
) -> None:
    desk = BinanceDesk(limits_scale=100)
    session = listen(desk, door, kinds[0])
    desk.pass_ms(1_000)
    changed(session)
    order = desk.order("BUY", "0.5", "59999.5", market=market)
    shown = desk.get(path, symbol="BTCUSDT", limit=5)
    price = next(level[0] for level in shown["bids"] if float(level[0]) == 59999.5)
    desk.venue.cancel(order)
    desk.pass_ms(1_000)
    assert [float(quantity) for at, quantity in changed(session) if at == price] == [0.0]
