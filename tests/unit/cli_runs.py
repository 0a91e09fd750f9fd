# SPDX-License-Identifier: Apache-2.0
"""What the tests of the command line share: a small market in a file, strategies of every bad
habit, and two ways to run a command, in this process and in one of its own.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from typer.testing import CliRunner

from hean.cli import app

HOUR_MS = 3_600_000
START_MS = 1_704_067_200_000  # 2024-01-01
BARS = 300
PATIENCE_S = 240.0  # a shared machine stalls

STRATEGIES = """
import asyncio, sys, time
from decimal import Decimal
from hean.core.module import on
from hean.core.types import (
    CancelRequest, EventType, OrderFilled, OrderType, Side, Signal)
from hean.strategies.base import Strategy

class Every(Strategy):
    bars = 0
    @on(EventType.CANDLE)
    def on_candle(self, event):
        self.bars += 1
        if self.bars % 10 == 0:
            self.act(event)
    def act(self, event): pass
    def signal(self, side=Side.BUY, size=Decimal("0.01"), **rest):
        self.context.emit(Signal(self.symbols[0], side, size, strategy_id=self.name, **rest))

class Turns(Every):
    def act(self, event):
        self.enter(event.data.symbol, Side.BUY if self.bars % 20 else Side.SELL)
class Raises(Every):
    def act(self, event): 1 / 0
class Exits(Every):
    def act(self, event): sys.exit(0)
class Dict(Every):
    def act(self, event): self.context.emit({"symbol": "BTCUSDT"})
class BadSide(Every):
    def act(self, event): self.signal("up")
class Forges(Every):
    def act(self, event): self.context.emit(OrderFilled("x", Decimal(1), Decimal(1)))
class NanPrice(Every):
    def act(self, event): self.signal(type=OrderType.LIMIT, price=float("nan"))
class NegativeSize(Every):
    def act(self, event): self.signal(size=Decimal(-1))
class UnknownSymbol(Every):
    def act(self, event):
        self.context.emit(Signal("DOGEUSDT", Side.BUY, None, type=OrderType.LIMIT, price=1.0))
class OffLot(Every):
    def act(self, event): self.signal(size=Decimal("0.0100001"))
class FloatSize(Every):
    def act(self, event): self.signal(size=0.01)
class CancelsNothing(Every):
    def act(self, event): self.context.emit(CancelRequest("never-sent"))
class NanStop(Every):
    def act(self, event): self.enter(event.data.symbol, Side.BUY, stop_loss=float("nan"))
class Forever(Every):
    def act(self, event):
        while True: pass
def asleep():
    with open(__file__ + ".asleep", "a") as file: file.write("x")
    time.sleep(60)
class Sleeps(Every):
    def act(self, event): asleep()
class Swallows(Every):
    def act(self, event):
        while True:
            try:
                while True: asleep()
            except BaseException: pass
class Storms(Every):
    @on(EventType.ORDER_REJECTED)
    def again(self, event): self.act(event)
    def act(self, event): self.signal(size=Decimal(-1))
class Waits(Every):
    @on(EventType.CANDLE)
    async def on_candle(self, event):
        await asyncio.sleep(60)
        Every.on_candle(self, event)
    def act(self, event):
        self.enter(self.symbols[0], Side.BUY if self.bars % 20 else Side.SELL)
class WaitsAndRaises(Every):
    @on(EventType.CANDLE)
    async def on_candle(self, event):
        await asyncio.sleep(60)
        1 / 0
class InitRaises(Every):
    def __init__(self, symbols, given=None): raise ValueError("no")
class InitSkips(Every):
    def __init__(self, symbols, given=None): pass
class InitForever(Every):
    def __init__(self, symbols, given=None):
        while True: pass
class Prints(Every):
    def act(self, event): print("a word from the strategy")
"""


def write_market(folder: Path) -> Path:
    """Three hundred hourly bars of BTCUSDT."""
    closes = [40_000 + (index * 37) % 500 for index in range(BARS + 1)]
    rows = ["ts,open,high,low,close,volume"]
    for index, (opened, closed) in enumerate(itertools.pairwise(closes)):
        high, low = max(opened, closed) + 20, min(opened, closed) - 20
        ts = START_MS + index * HOUR_MS
        rows.append(f"{ts},{opened},{high},{low},{closed},{100 + index % 7}")
    path = folder / "binance_perp_BTCUSDT_1h_2024.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def write_strategies(folder: Path) -> Path:
    """The file with the strategies above."""
    path = folder / "habits.py"
    path.write_text(STRATEGIES)
    return path


class Ran:
    """What came of a command."""

    def __init__(self, code: int, stdout: str, stderr: str) -> None:
        self.code = code
        self.stdout = stdout
        self.stderr = stderr


def run_here(*arguments: object) -> Ran:
    """Run `hean` in this process."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert "Traceback" not in result.output, result.output
    return Ran(result.exit_code, result.stdout, result.stderr)


def start_apart(
    *arguments: object, cwd: Path, environment: dict[str, str] | None = None, **pipes: object
) -> subprocess.Popen[str]:
    """Start `hean` in a process of its own."""
    command: Sequence[str] = [sys.executable, "-m", "hean", *map(str, arguments)]
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **pipes}
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]  # the pipes vary
        command, cwd=cwd, env={**os.environ, **(environment or {})}, **given
    )


def run_apart(
    *arguments: object, cwd: Path, environment: dict[str, str] | None = None, **pipes: object
) -> Ran:
    """Run `hean` in a process of its own, to its end."""
    process = start_apart(*arguments, cwd=cwd, environment=environment, **pipes)
    stdout, stderr = process.communicate(timeout=PATIENCE_S)
    return Ran(process.returncode, stdout or "", stderr or "")
