# SPDX-License-Identifier: Apache-2.0
"""`hean why` on the journal of a trading process at a twin: every order has its whole chain with
numbers, and whatever kept one from being made is named. One session for each venue goes through
trading, silence, a limit, stale data and the kill switch, and ends.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hean.core.journal import open_journal
from hean.core.types import Command, EventType, Reconcile, Side, Signal
from hean.data.fingerprint import iso_utc
from hean.live.engine import LiveEngine
from hean.live.parts import real_parts
from hean.live.settings import LiveSettings
from hean.risk.live_gate import Configured, phrase_of
from hean.secret import Secret
from hean.system import LIMITS, AccountSettings
from hean.venues.endpoints import endpoints_for
from hean.venues.signing import Signer
from paper_strategies import Eager
from unit.cli_runs import run_here
from venue_contract.twin_process import MAIN, TwinProcess

SYMBOL = "BTCUSDT"
WAIT_S = 120.0
QUIET_S = 0.5
FILLS = 4
US_NS = 1_000


class Trader(Eager):
    """In and out; wants more when data becomes stale; rests when told to."""

    name = "trader"
    pace = 5


class Session:
    """What happened, and when. *moments*: by what was going on then."""

    def __init__(self, folder: Path) -> None:
        self.journal = folder / "journal.db"
        self.moments: dict[str, int] = {}

    def ids(self) -> list[str]:
        """Every order that was asked for."""
        opened = open_journal(self.journal)
        try:
            rows = [row for row in opened.records() if row.kind == EventType.ORDER_REQUEST]
            return [row.fact()["order_id"] for row in rows]
        finally:
            opened.close()

    def why(self, order_id: str) -> dict[str, Any]:
        """`hean why ORDER_ID`."""
        ran = run_here("why", order_id, "--journal", self.journal, "--json", "-")
        assert ran.code == 0, ran.stderr
        return dict(json.loads(ran.stdout))

    def why_not(self, name: str) -> list[str]:
        """`hean why --not` at a moment. *Returns*: kinds of the causes."""
        at = iso_utc(self.moments[name])
        options = ("--journal", self.journal, "--window", QUIET_S / 2, "--json", "-")
        ran = run_here("why", "--not", SYMBOL, at, *options)
        assert ran.code == 0, ran.stderr
        return [cause["kind"] for cause in json.loads(ran.stdout)["causes"]]


async def until(condition: Callable[[], Any], what: str) -> None:
    """Wait for it."""
    try:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(what) from None


@asynccontextmanager
async def trading(engine: LiveEngine) -> AsyncIterator[None]:
    """A process that trades, with every factor of the gate given."""
    stop = asyncio.Event()
    life = asyncio.ensure_future(engine.run(stop))
    await until(lambda: engine.is_ready or life.done(), "ready")
    if life.done():
        life.result()
    engine.bus.emit(Reconcile(True))
    engine.safety.gate.confirm(phrase_of(engine.account_id, "testnet"))
    try:
        await until(lambda: not engine.safety.gate.missing, "the gate opens")
        yield
    finally:
        stop.set()
        await life


async def played(twin: TwinProcess, engine: LiveEngine, session: Session) -> None:
    """The whole session."""
    strategy, seen = engine.strategy, dict[EventType, list[int]]()
    assert isinstance(strategy, Trader)
    async with trading(engine):
        engine.bus.tap(lambda event: seen.setdefault(event.event_type, []).append(event.ts_ns))

        async def wait_for(kind: EventType, count: int) -> int:
            """*Returns*: when the last of so many more happened; it may be seen much later."""
            last = len(seen.get(kind, ())) + count
            try:
                await until(lambda: len(seen.get(kind, ())) >= last, kind)
            except AssertionError as error:
                told = {each: len(moments) for each, moments in seen.items()}
                stopped = f"slowest commit {engine.recorder.slowest_s:.3f} s"
                raise AssertionError(f"{error}; {told}; {stopped}") from None
            return seen[kind][last - 1] + US_NS  # a moment is read in whole microseconds

        await wait_for(EventType.ORDER_FILLED, FILLS)
        strategy.pace = 10**9
        await until(lambda: not strategy.is_waiting(SYMBOL), "nothing under way")
        quiet_ns = time.time_ns()
        await asyncio.sleep(QUIET_S)  # silence is what is looked for
        session.moments["silent"] = (quiet_ns + time.time_ns()) // 2
        engine.bus.emit(Signal(SYMBOL, Side.BUY, Decimal("0.5"), strategy_id="hand"))
        session.moments["breach"] = await wait_for(EventType.ORDER_REJECTED, 1)
        await asyncio.sleep(QUIET_S)
        refused = asyncio.ensure_future(wait_for(EventType.ORDER_REJECTED, 1))
        await asyncio.to_thread(twin.control.fault, "public_cut", refuses_s=2.0)
        session.moments["stale"] = await refused
        await asyncio.to_thread(twin.control.post, "calm")
        await wait_for(EventType.TICK, 3)
        arguments = {"level": "HALT_NEW", "reason": "a drill of the tests"}
        engine.bus.emit(Command("kill", arguments, "operator:test"))
        await wait_for(EventType.KILLSWITCH_TRIGGERED, 1)
        await asyncio.sleep(QUIET_S)
        engine.bus.emit(Signal(SYMBOL, Side.BUY, Decimal("0.01"), strategy_id="hand"))
        session.moments["killed"] = await wait_for(EventType.ORDER_REJECTED, 1)
    session.moments["ended"] = time.time_ns()


@pytest.fixture(scope="module", params=["bybit", "binance"])
def session(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Session]:
    """A session on perpetuals."""
    twin: TwinProcess = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp("live")
    names = ("BYBIT_REST_URL", "BINANCE_FUTURES_REST_URL")
    streams = ("BYBIT_WS_PUBLIC_URL", "BINANCE_FUTURES_WS_URL")
    given = dict.fromkeys(names, twin.rest_url) | dict.fromkeys(streams, twin.ws_base)
    endpoints = endpoints_for(request.param, "linear", testnet=True, environment=given)
    account = AccountSettings(Decimal(10_000), limits=LIMITS | {"order_value_max": "10000"})
    settings = LiveSettings(
        request.param,
        "linear",
        "testnet",
        (SYMBOL,),
        "trader",
        folder,
        account_id="" if request.param == "bybit" else "one",  # which this venue does not tell
        account=account,
    )
    engine = LiveEngine(
        settings,
        Trader((SYMBOL,)),
        endpoints=endpoints,
        signer=Signer(Secret(MAIN.key), Secret(MAIN.secret), "main"),
        parts=real_parts(budget_scale=20),
        configured=Configured(True, True, True, True),
    )
    found = Session(folder)
    asyncio.run(played(twin, engine, found))
    yield found
    twin.control.post("calm")


def test_every_order_has_its_whole_chain_with_numbers(session: Session) -> None:
    filled = 0
    for order_id in session.ids():
        chain = session.why(order_id)
        words = [step["what"] for step in chain["steps"]]
        assert "SIGNAL" in words, words
        assert "MARKET" in words, words
        assert "REQUEST" in words, words
        assert all(rule["observed"] and rule["allowed"] for rule in chain["rules"])
        assert len(chain["rules"]) >= 6
        rows = [step["seq"] for step in chain["steps"]]
        assert rows == sorted(rows)
        assert all(step["time"].endswith("Z") for step in chain["steps"])
        if chain["status"].startswith("REFUSED"):
            assert "REJECTED" in words
            continue
        assert words.index("CHECKS") < words.index("APPROVED") < words.index("SENT")
        if chain["status"] == "FILLED":
            filled += 1
            fill = next(step for step in chain["steps"] if step["what"] == "FILLED")
            assert Decimal(fill["numbers"]["fee"]) > 0
            assert fill["numbers"]["slippage_bps"] is not None
            assert fill["after_ms"] > 0
    assert filled >= FILLS


def test_a_chain_fits_one_screen_for_people(session: Session) -> None:
    order_id = next(each for each in session.ids() if session.why(each)["status"] == "FILLED")
    ran = run_here("why", order_id, "--journal", session.journal)
    assert ran.code == 0
    assert len(ran.stdout.splitlines()) <= 50
    assert "\x1b" not in ran.stdout
    for word in ("MARKET", "SENT", "FILLED", "R27 kill switch", "slippage"):
        assert word in ran.stdout


@pytest.mark.parametrize(
    ("moment", "cause"),
    [
        ("silent", "silent"),
        ("breach", "refused"),
        ("stale", "stale_data"),
        ("killed", "kill_switch"),
        ("ended", "not_running"),
    ],
)
def test_what_kept_an_order_from_being_made_is_named(
    session: Session, moment: str, cause: str
) -> None:
    assert cause in session.why_not(moment)


def test_an_unknown_id_ends_with_2_and_names_the_nearest(session: Session) -> None:
    known = session.ids()[0]
    ran = run_here("why", f"{known}x", "--journal", session.journal)
    assert ran.code == 2
    assert known in ran.stderr
