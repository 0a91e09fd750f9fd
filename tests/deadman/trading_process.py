# SPDX-License-Identifier: Apache-2.0
"""A trading process on a twin, for tests that stop, kill or cut it: the real engine with a strategy
that buys once, protects what it bought and keeps a few orders far below the market. Run as a script
it reads what to do from one argument, a JSON object, and trades until TERM.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from hean.core.module import on
from hean.core.types import Event, EventType, OrderType, Side, Signal
from hean.errors import HeanError
from hean.live.engine import LiveEngine
from hean.live.guard import Guard, Policy, job_of, start_watchdog
from hean.live.parts import real_parts
from hean.live.settings import LiveSettings
from hean.live.socket import ask
from hean.net.loop import run as run_loop
from hean.risk.live_gate import Configured, phrase_of
from hean.risk.triggers import KillLimits
from hean.secret import Secret
from hean.strategies.base import Strategy
from hean.venues.endpoints import Endpoints, endpoints_for
from hean.venues.signing import Signer
from hean.watchdog import end_on_signals
from venue_contract.twin_process import MAIN, TwinProcess, wait_until

SYMBOL = "BTCUSDT"
SCALE = 20  # the twin of the tests allows so many times the documented rates
RESTING = 5
ASK_S = 60.0  # shared machines stall
SIZE = Decimal("0.01")
KEYS = (Secret(MAIN.key), Secret(MAIN.secret), "main")
HERE = Path(__file__).parent.parent


class Holder(Strategy):
    """Buys once, sets a stop, rests."""

    name = "holder"

    def __init__(self, symbols: tuple[str, ...], given: Any = None) -> None:
        super().__init__(symbols, given)
        self._facts = 0
        self._has_bought = False

    @on(EventType.TICK)
    def on_tick(self, event: Event) -> None:
        """Begin, as soon as an order may leave. Then protect the position, and rest. On spot it is
        what the venue left of what was bought.
        """
        self._facts += 1
        held, price = self.position[SYMBOL], float(event.data.price)
        if self._has_bought:
            self._has_bought = False
            self._ask(Side.SELL, OrderType.STOP, price * 0.9, held, reduce_only=True)
            for number in range(RESTING):
                self._ask(Side.BUY, OrderType.LIMIT, price * (0.97 - 0.001 * number))
        elif not (self._facts % 20 or held or self.is_waiting(SYMBOL)):
            self._ask(Side.BUY, OrderType.MARKET, None)

    @on(EventType.ORDER_FILLED)
    def on_mine(self, event: Event) -> None:
        """The last piece of what was bought."""
        self._has_bought |= event.data.side is Side.BUY and not event.data.remaining_qty

    def _ask(
        self,
        side: Side,
        kind: OrderType,
        price: float | None,
        size: Decimal = SIZE,
        *,
        reduce_only: bool = False,
    ) -> None:
        self.context.emit(
            Signal(
                SYMBOL,
                side,
                size,
                strategy_id=self.name,
                type=kind,
                price=price,
                reduce_only=reduce_only,
            )
        )


def endpoints_of(venue: str, market: Any, rest_url: str, ws_base: str) -> Endpoints:
    """Of a twin, or of a line to it."""
    names = {
        "BYBIT": ("REST_URL", "WS_PUBLIC_URL"),
        "BINANCE": ("REST_URL", "WS_URL"),
        "BINANCE_FUTURES": ("REST_URL", "WS_URL"),
    }
    given: dict[str, str] = {}
    for venue_name, (rest, ws) in names.items():
        given |= {f"{venue_name}_{rest}": rest_url, f"{venue_name}_{ws}": ws_base}
    return endpoints_for(venue, market, testnet=True, environment=given)


@dataclass
class Task:
    """What a trading process is to do. *rest_url*, *ws_base*: where it reaches the twin."""

    venue: str
    market: str
    folder: str
    rest_url: str
    ws_base: str
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> LiveSettings:
        """As the engine wants them."""
        market: Any = self.market
        return LiveSettings(
            self.venue,
            market,
            "testnet",
            (SYMBOL,),
            "holder",
            Path(self.folder),
            account_id="7" if (self.venue, market) == ("binance", "linear") else "",
            # A test starts the watchdog when it likes, and nothing else stops what it watches.
            kill_limits=KillLimits(watchdog_s=300.0, stale_s=None, position_s=None, unknown=None),
        )

    @property
    def endpoints(self) -> Endpoints:
        """Where it trades."""
        return endpoints_of(self.venue, self.market, self.rest_url, self.ws_base)


class TradingProcess:
    """The script as a process, with the watchdog the test starts beside it. Use it as a context."""

    def __init__(
        self,
        twin: TwinProcess,
        folder: Path,
        *,
        market: str = "linear",
        rest_url: str = "",
        ws_base: str = "",
    ) -> None:
        self.twin = twin
        self.task = Task(
            twin.exchange,
            market,
            str(folder),
            rest_url or twin.rest_url,
            ws_base or twin.ws_base,
        )
        self.settings = self.task.settings
        self.guard: Guard | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.settings.data_dir.mkdir(exist_ok=True, mode=0o700)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self._process, self.guard.process if self.guard else None):
            if process is not None and process.poll() is None:
                process.kill()
                process.send_signal(signal.SIGCONT)
                process.wait()

    def start(self) -> None:
        """Begin a life."""
        path = os.pathsep.join((str(HERE), os.environ.get("PYTHONPATH", "")))
        with (self.settings.data_dir / "engine.txt").open("a") as said:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__)), json.dumps(asdict(self.task))],
                env={**os.environ, "PYTHONPATH": path},
                stderr=said,
                stdout=said,
            )

    def watch(self, *, policy: Policy = "cancel", after_s: float = 3.0) -> Guard:
        """Start the watchdog, straight to the twin."""
        twin = self.twin
        place = endpoints_of(twin.exchange, self.task.market, twin.rest_url, twin.ws_base)
        job = job_of(self.settings, place, policy=policy, after_s=after_s, budget_scale=SCALE)
        self.guard = start_watchdog(job, KEYS)
        return self.guard

    def send(self, number: signal.Signals) -> None:
        """A signal to the trading process alone."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, timeout_s: float = ASK_S) -> int:
        """Its exit code."""
        assert self._process is not None
        return self._process.wait(timeout_s)

    def status(self) -> dict[str, Any]:
        """What it says of itself; empty when it does not answer."""
        try:
            return ask(self.settings.control, {"verb": "status"}, timeout_s=ASK_S)
        except OSError:
            return {}

    def open_orders(self) -> list[dict[str, Any]]:
        """At the venue."""
        found: list[dict[str, Any]] = self.twin.control.account()["open_orders"]
        return found

    def resting(self) -> list[dict[str, Any]]:
        """Open orders that are no stop."""
        return [order for order in self.open_orders() if order["trigger"] is None]

    def stops(self) -> list[dict[str, Any]]:
        """Open protective stops."""
        return [order for order in self.open_orders() if order["trigger"] is not None]

    def log(self) -> str:
        """What the watchdog wrote down."""
        path = self.settings.data_dir / "watchdog.log"
        return path.read_text() if path.exists() else ""

    def wait_until_trading(self) -> None:
        """Until position, stop and resting orders are there."""
        try:
            wait_until(
                lambda: len(self.resting()) == RESTING and len(self.stops()) == 1,
                "orders of the trading process",
            )
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.status()}; it said: {self.said()}") from None

    def wait_until_watched(self) -> None:
        """Until the watchdog is there and hears the process."""
        wait_until(lambda: "watching" in self.log(), "a watchdog")

    def said(self) -> str:
        """What the trading process wrote."""
        return (self.settings.data_dir / "engine.txt").read_text()[-2_000:]


async def _trade(task: Task) -> None:
    engine = LiveEngine(
        task.settings,
        Holder((SYMBOL,)),
        endpoints=task.endpoints,
        signer=Signer(*KEYS),
        parts=real_parts(budget_scale=SCALE),
        configured=Configured(True, True, True, True),
    )

    def confirm() -> None:
        if not engine.safety.gate.confirm(phrase_of(engine.account_id, "testnet")):
            raise SystemExit(f"not confirmed: {engine.safety.gate.why}")

    engine.on_ready = confirm
    stop = asyncio.Event()
    end_on_signals(stop)
    try:
        await engine.run(stop)
    except HeanError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    run_loop(_trade(Task(**json.loads(sys.argv[1]))))
