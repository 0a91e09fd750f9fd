# SPDX-License-Identifier: Apache-2.0
"""The gateway's decisions that need no venue: what may leave at all, and over which way. What it
does with a venue's answers is shown at the twin, in `tests/venue_contract/adapters`."""

from __future__ import annotations

import asyncio
import json
import random
from decimal import Decimal

import pytest

from hean.core.module import IdSequence
from hean.core.types import AmendRejected, OrderRejected, OrderType, Payload
from hean.errors import DuplicateOrder, Halted, OrderNotOpen, ParameterInvalid, RateLimited
from hean.net.budget import Priority
from hean.net.http import HttpClient
from hean.net.socket import ConnectGovernor
from hean.venues.adapters import adapter_for, budget_for
from hean.venues.endpoints import endpoints_for
from hean.venues.gateway import GatewaySettings
from hean.venues.halts import Halts
from scripted_venue import ID, SIGNER, approved
from wired_gateway import MARKETS, NOW_NS, Built


@pytest.fixture(params=MARKETS, ids="-".join)
async def built(request: pytest.FixtureRequest) -> Built:
    return Built(*request.param)


@pytest.mark.promise(23)
async def test_an_approved_order_is_on_the_socket_when_submit_returns(built):
    built.gateway.submit(approved())
    (frame,) = built.wire.frames
    assert ID in frame.decode()
    assert json.loads(frame)
    assert built.gateway.dispatch.in_flight == 1
    assert [fact for fact in built.facts if isinstance(fact, OrderRejected)] == []


@pytest.mark.parametrize(("venue", "market"), MARKETS)
async def test_before_the_account_was_read_nothing_new_leaves(venue, market):
    built = Built(venue, market, is_ready=False)
    built.gateway.submit(approved())
    assert built.refusal().code == Halted.code
    assert built.wire.frames == []


async def test_an_id_or_symbol_that_could_break_a_frame_never_reaches_it(built):
    for order in (
        approved(order_id='h1","side":"Sell'),
        approved(order_id="h1&side=SELL"),
        approved(order_id="x" * 37),
        approved(symbol="ETHUSDT"),
        approved(symbol="BTC&USDT", order_id="h1-a"),
    ):
        built.facts.clear()
        built.gateway.submit(order)
        assert built.refusal().code == ParameterInvalid.code
    assert built.wire.frames == []


async def test_an_id_is_sent_once_even_after_a_refusal(built):
    built.gateway.halts.add("test", "no")
    built.gateway.submit(approved())
    built.gateway.halts.lift("test")
    with pytest.raises(DuplicateOrder):
        built.gateway.submit(approved())
    assert built.wire.frames == []


async def test_a_halted_symbol_takes_reductions_and_cancels(built):
    built.gateway.submit(approved(order_id="h1-test-1"))
    built.gateway.halts.add("test", "no", "BTCUSDT")
    built.gateway.submit(approved(order_id="h1-test-2"))
    assert built.refusal().order_id == "h1-test-2"
    built.gateway.submit(approved(order_id="h1-test-3", reduce_only=True))
    built.gateway.cancel("h1-test-1")
    await asyncio.sleep(0)
    assert len(built.wire.frames) == 3


async def test_a_superseded_process_sends_nothing_at_all(built):
    built.gateway.submit(approved(order_id="h1-test-1"))
    built.gateway.resolution.strangers.superseded = "another one was started"
    built.gateway.submit(approved(order_id="h1-test-2", reduce_only=True))
    assert built.refusal().reason == "another one was started"
    built.gateway.cancel("h1-test-1")
    await asyncio.sleep(0)
    built.gateway.amend("h1-test-1", size=Decimal("0.005"))
    assert len(built.wire.frames) == 1


async def test_an_order_beyond_the_rate_limit_is_refused_and_not_kept_for_later(built):
    kind, gateway = built.gateway.codec.submit_kind("BTCUSDT"), built.gateway
    while built.budget.try_take(kind, Priority.CANCEL, gateway.questions.ticks_ns()) == 0:
        pass
    built.gateway.submit(approved())
    assert built.refusal().code == RateLimited.code
    assert built.wire.frames == []


@pytest.mark.parametrize(("venue", "market"), MARKETS)
async def test_what_its_record_kept_waiting_is_judged_once_more(venue, market):
    """A slow disk takes seconds, in which nobody has looked at the market."""

    def sending(verb, orders, price, size):
        kept.append((verb, price, size))
        if not is_fast:
            built.gateway.halts.add("test", "nobody has looked")

    kept, is_fast = [], True
    built = Built(venue, market, sending=sending)
    built.gateway.submit(approved(order_id="h1-test-1"))
    is_fast = False
    built.gateway.amend("h1-test-1", size=Decimal("0.005"))
    built.gateway.halts.lift("test")
    built.gateway.submit(approved(order_id="h1-test-2"))
    built.gateway.submit(approved(order_id="h1-test-3", reduce_only=True))
    assert [verb for verb, _, _ in kept] == ["submit", "amend", "submit", "submit"]
    assert kept[1][2] == Decimal("0.005")
    assert (built.refusal().order_id, built.refusal().code) == ("h1-test-2", Halted.code)
    (amend,) = (fact for fact in built.facts if isinstance(fact, AmendRejected))
    assert (amend.order_id, amend.code) == ("h1-test-1", Halted.code)
    frames = "".join(frame.decode() for frame in built.wire.frames)
    assert [f"h1-test-{number}" in frames for number in (1, 2, 3)] == [True, False, True]
    assert len(built.wire.frames) == 2


async def test_a_market_order_has_no_terms_to_change(built):
    built.gateway.submit(approved(OrderType.MARKET))
    built.gateway.amend(ID, price=Decimal(1))
    assert isinstance(built.facts[-1], AmendRejected)
    assert len(built.wire.frames) == 1


async def test_an_order_that_has_ended_meanwhile_has_no_terms_to_change(built):
    """Who asks has not heard of the end yet; without an answer it would wait for ever."""
    built.gateway.submit(approved())
    order = built.gateway.tracker.get(ID)
    order.is_placed = order.is_ended = True
    built.gateway.amend(ID, size=Decimal("0.005"))
    assert (built.facts[-1].order_id, built.facts[-1].code) == (ID, OrderNotOpen.code)
    assert len(built.wire.frames) == 1


async def test_the_ids_hean_makes_are_taken_by_every_venue(built):
    ids = IdSequence(36**8, 36**8)
    for strategy in ("impulse", "Kalman pairs!", "x", "_"):
        built.gateway.submit(approved(order_id=ids.next_id(strategy), reduce_only=True))
    assert len(built.wire.frames) == 4


def test_symbols_are_written_as_the_venue_does():
    with pytest.raises(ParameterInvalid, match="BTC/USDT"):
        endpoints = endpoints_for("bybit", "spot", testnet=True, environment={})
        adapter_for(endpoints)(
            endpoints,
            SIGNER,
            GatewaySettings(symbols=("BTC/USDT",)),
            emit=lambda fact: None,
            client=HttpClient("http://127.0.0.1:9", now=lambda: NOW_NS),
            budget=budget_for(endpoints),
            now=lambda: NOW_NS,
            rng=random.Random(1),
            governor=ConnectGovernor(),
        )


def test_health_tells_all_reasons_because_only_the_newest_survives():
    told: list[Payload] = []
    halts = Halts("venue", told.append, lambda: {"more": 1}, first=("stream", "not read"))
    assert halts.why("BTCUSDT") == "not read"
    halts.add("clock", "off", "")
    halts.add("clock", "off", "")
    halts.add("word", "strange", "BTCUSDT")
    assert told[-1].state == "HALT_NEW"
    assert told[-1].extra == {
        "reasons": {"stream": "not read", "clock": "off", "BTCUSDT word": "strange"},
        "more": 1,
    }
    halts.lift("stream")
    halts.lift("clock")
    assert halts.why("ETHUSDT") == ""
    assert halts.why("BTCUSDT") == "strange"
    halts.lift("word", "BTCUSDT")
    halts.lift("word", "BTCUSDT")
    assert [fact.watermark for fact in told] == [1, 2, 3, 4, 5]
    assert told[-1].state == "READY"
