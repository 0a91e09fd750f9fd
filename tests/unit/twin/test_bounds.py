# SPDX-License-Identifier: Apache-2.0
"""What a twin remembers is bounded, and what it forgets it forgets in order: orders, client ids,
ledger records. A ledger that cannot be written ends the twin.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from binance_desk import BinanceDesk
from hean.errors import EnvironmentFault
from hean.twin import account as accounts
from hean.twin import ledger as ledgers
from hean.twin.build import Twin, TwinSettings
from hean.twin.ledger import TwinLedger
from hean.twin.orders import Refused, Why
from twin_desk import StillExchange

FULL = Path("/dev/full")


def lose_the_disk(ledger: TwinLedger) -> None:
    ledger.close()
    ledger._file = FULL.open("ab", buffering=0)


@pytest.mark.parametrize("exchange", ["bybit", "binance"])
def test_ended_orders_are_forgotten_oldest_first_and_open_ones_never(
    monkeypatch: pytest.MonkeyPatch, exchange: str
) -> None:
    monkeypatch.setattr(accounts, "ORDERS_KEPT", 3)
    desk = StillExchange(exchange)
    stays = desk.order("BUY", "0.01", "59000", client_id="stays")
    for number in range(6):
        desk.venue.cancel(desk.order("BUY", "0.01", "59001", client_id=f"o{number}"))
    desk.order("BUY", "0.01", "59002", client_id="new")
    kept = [order.client_id for order in desk.main.orders.values()]
    assert kept == ["stays", "o3", "o4", "o5", "new"]
    assert set(desk.main.client_ids("linear")) == set(kept)
    assert stays.is_open
    if exchange == "binance":
        desk.order("BUY", "0.01", "59001", client_id="o0")
        return
    with pytest.raises(Refused) as refused:
        desk.order("BUY", "0.01", "59001", client_id="o0")
    assert refused.value.why is Why.DUPLICATE_CLIENT_ID


def test_an_order_without_a_client_id_names_nothing() -> None:
    desk = StillExchange()
    desk.order("BUY", "0.01", "59000")
    assert desk.main.client_ids("linear") == {}


def test_an_amended_client_id_moves_and_takes_nobodys() -> None:
    desk = BinanceDesk()
    first, second = (
        desk.buy("0.02", "59000", newClientOrderId=name)["orderId"] for name in ("one", "two")
    )
    path, fields = "/api/v3/order/amend/keepPriority", {"symbol": "BTCUSDT", "newQty": "0.01"}
    taken = desk.signed("PUT", path, orderId=first, newClientOrderId="two", **fields)
    assert taken == {"code": -2010, "msg": "Duplicate order sent."}
    desk.signed("PUT", path, orderId=first, newClientOrderId="three", **fields)
    ids = {name: order.order_id for name, order in desk.main.client_ids("spot").items()}
    assert ids == {"two": str(second), "three": str(first)}


def test_the_ledger_answers_by_number_when_it_has_forgotten_the_oldest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ledgers, "KEPT", 5)
    ledger = TwinLedger()
    for number in range(12):
        ledger.add("note", number)
    assert [record["seq"] for record in ledger.since(0, 3)] == [8, 9, 10]
    assert [record["seq"] for record in ledger.since(10, 100)] == [11, 12]
    assert ledger.since(12, 100) == []


@pytest.mark.skipif(not FULL.exists(), reason="this system has no full device")
def test_a_ledger_that_cannot_be_written_ends_the_twin(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = TwinLedger(path)
    desk = StillExchange()
    desk.venue.ledger = ledger
    ledger.check()
    lose_the_disk(ledger)
    order = desk.order("BUY", "0.01", "59000")
    assert order.quantity == Decimal("0.01"), "what happened has happened"
    with pytest.raises(EnvironmentFault, match="No space left"):
        ledger.check()


@pytest.mark.skipif(not FULL.exists(), reason="this system has no full device")
async def test_a_twin_that_breaks_says_so(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    twin = Twin(TwinSettings("bybit", {"main": ("k", "s")}, symbols=("BTCUSDT",), ledger=path))
    await twin.start()
    try:
        lose_the_disk(twin.ledger)
        twin.ledger.add("note", 0)
        with pytest.raises(EnvironmentFault, match="not complete"):
            await asyncio.wait_for(twin.watch(), 60)
    finally:
        await twin.stop()


def test_a_ledger_is_a_regular_file(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="not a regular file"):
        TwinLedger(tmp_path)
