# SPDX-License-Identifier: Apache-2.0
"""Both markets of a Bybit account in one codec: what goes out is what the codec of its market
writes, what comes back bears our names, and a list is complete when both are. The twin answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest
from msgspec.structs import replace as changed

from bybit_desk import BybitDesk
from hean.core.types import OrderType
from hean.errors import UnknownSymbol
from hean.venues.bybit import BybitCodec
from hean.venues.bybit_both import BybitBothCodec, name_of, place_of
from hean.venues.codec import Codec, told
from hean.venues.endpoints import BOTH, endpoints_for
from hean.venues.reports import Call, Listing, OrderReport, Status
from scripted_venue import NOW_MS, approved, codec_of, tracked

COINS, PERP = "BTCUSDT@spot", "BTCUSDT@perp"
CODEC = codec_of(BybitBothCodec, "bybit", BOTH)
ALONE: dict[str, Codec] = {
    COINS: codec_of(BybitCodec, "bybit", "spot"),
    PERP: codec_of(BybitCodec, "bybit", "linear"),
}
TERMS = Decimal(28001), Decimal("0.02")


def asked_at(desk: BybitDesk) -> Callable[[Call], Awaitable[Any]]:
    """The twin as whoever is asked."""

    async def ask(call: Call) -> Any:
        path, params = call.path.removeprefix("/v5/"), dict(parse_qsl(call.text))
        return msgspec.json.encode(desk.ask(path, **params)["result"])

    return ask


@pytest.mark.parametrize("name", [COINS, PERP])
@pytest.mark.parametrize("kind", list(OrderType))
def test_a_request_is_the_one_of_its_market(name: str, kind: OrderType) -> None:
    alone, ours, theirs = ALONE[name], approved(kind, symbol=name), approved(kind)
    order, bare = (tracked(symbol=each, is_conditional=True) for each in (name, "BTCUSDT"))
    assert CODEC.submit_frame(ours, "1", NOW_MS) == alone.submit_frame(theirs, "1", NOW_MS)
    assert CODEC.cancel_frame(order, "1", NOW_MS) == alone.cancel_frame(bare, "1", NOW_MS)
    assert CODEC.amend_frame(order, *TERMS, "1", NOW_MS) == alone.amend_frame(
        bare, *TERMS, "1", NOW_MS
    )
    assert CODEC.submit_call(ours) == alone.submit_call(theirs)
    assert CODEC.cancel_call(order) == alone.cancel_call(bare)
    assert CODEC.amend_call(order, *TERMS) == alone.amend_call(bare, *TERMS)
    assert CODEC.submit_kind(name) == alone.submit_kind("BTCUSDT")
    assert CODEC.has_positions(name) == alone.has_positions("BTCUSDT")
    listed = OrderReport(
        name, "", "7", Status.OPEN, Decimal(1), Decimal(0), "New", is_conditional=True
    )
    assert CODEC.cancel_listed(listed) == alone.cancel_listed(replace(listed, symbol="BTCUSDT"))
    assert ours == changed(theirs, symbol=name)  # as it was


def test_all_is_cancelled_in_both() -> None:
    calls = [call for alone in (ALONE[PERP], ALONE[COINS]) for call in alone.cancel_all(())]
    assert list(CODEC.cancel_all((COINS, PERP))) == calls


def test_one_login_and_one_subscription_tell_both() -> None:
    login, topics = CODEC.private_steps(NOW_MS)
    assert login == ALONE[PERP].private_steps(NOW_MS)[0] == CODEC.order_steps(NOW_MS)[0]
    listed = msgspec.json.decode(topics)["args"]
    assert listed == ["order", "execution", "position", "wallet", "dcp.future", "dcp.spot"]


@pytest.mark.parametrize("name", ["BTCUSDT", "BTCUSDT@bybit.perp", "BTC-USDT@spot", ""])
def test_a_name_without_its_market_is_none(name: str) -> None:
    with pytest.raises(UnknownSymbol):
        place_of(name)


def test_names_go_out_and_come_back() -> None:
    for name in (COINS, PERP, "XRPUSDT@spot"):
        assert name_of(*place_of(name)) == name


async def test_the_account_of_both_markets_bears_our_names() -> None:
    """Orders, executions, funding and positions; the stream says the same of each as the lists."""
    desk = BybitDesk()
    session = desk.private("order", "execution", "position", "wallet")
    began_ns = desk.now_ns
    ids = {}
    for name in (COINS, PERP):
        category = place_of(name)[0]
        desk.placed("Buy", "0.01", category=category, marketUnit="baseCoin")
        ids[name] = desk.placed("Buy", "0.01", "50000", category=category)
    desk.now_ns = desk.linear.next_funding_ns
    desk.venue.step()
    frames = [CODEC.parse(msgspec.json.encode(frame)) for frame in session.taken()]
    heard = [told(frame) for frame in frames if frame is not None]
    ask, names = asked_at(desk), (COINS, PERP)
    orders = await CODEC.open_orders(ask)
    assert {row.exchange_order_id: row.symbol for row in orders.rows} == {
        number: name for name, number in ids.items()
    }
    streamed = {row.exchange_order_id: row.symbol for told_ in heard for row in told_.orders}
    assert streamed.items() >= {number: name for name, number in ids.items()}.items()
    trades = await CODEC.executions(ask, began_ns, names)
    assert {row.symbol for row in trades.rows} == {COINS, PERP}
    assert set(trades.rows) == {row for told_ in heard for row in told_.executions}
    paid = await CODEC.settlements(ask, began_ns, names)
    assert [row.symbol for row in paid.rows] == [PERP]
    assert list(paid.rows) == [row for told_ in heard for row in told_.settlements]
    held = await CODEC.positions(ask)
    assert [(row.symbol, row.qty) for row in held.rows] == [(PERP, Decimal("0.01"))]
    assert {row.symbol for told_ in heard for row in told_.positions} == {PERP}
    coins = {row.asset: row.total for row in (await CODEC.balances(ask)).rows}
    assert coins["BTC"] > 0
    assert coins["USDT"] > 0


async def test_an_order_is_looked_for_in_its_market_alone() -> None:
    desk = BybitDesk()
    desk.placed("Buy", "0.01", "50000", category="spot", orderLinkId="h1-test-a")
    order = tracked(symbol=COINS, order_id="h1-test-a")
    found = await CODEC.order(asked_at(desk), order)
    assert found is not None
    assert (found.symbol, found.client_order_id) == (COINS, "h1-test-a")
    assert await CODEC.order(asked_at(desk), changed(order, symbol=PERP)) is None


async def test_a_list_is_complete_when_both_are(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = BybitDesk()
    assert (await CODEC.open_orders(asked_at(desk))).is_complete

    async def cut(self: BybitCodec, ask: Any) -> Listing[OrderReport]:
        return Listing((), is_complete=self.name == "bybit.linear")

    monkeypatch.setattr(BybitCodec, "open_orders", cut)
    assert not (await CODEC.open_orders(asked_at(desk))).is_complete


def test_both_share_every_address_but_the_public_one() -> None:
    both = endpoints_for("bybit", BOTH, testnet=True, environment={})
    for market in ("spot", "linear"):
        assert both.alone(market) == endpoints_for("bybit", market, testnet=True, environment={})
