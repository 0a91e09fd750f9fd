# SPDX-License-Identifier: Apache-2.0
"""`settings.py`: what a trading process is to do, before it knows anything of the world."""

from __future__ import annotations

from pathlib import Path

import msgspec

from hean.core.bus import MAX_QUEUE
from hean.core.module import Module
from hean.core.parameters import Value
from hean.ml.serving import serving
from hean.risk.live_gate import Role
from hean.risk.triggers import KillLimits
from hean.system import AccountSettings
from hean.venues.endpoints import Markets


class LiveSettings(msgspec.Struct, frozen=True):
    """*venue*, *market*, *role*: where; *account_id*: whose account it must be, empty if the venue
    does not tell; *data_dir*: of this account alone; *strategy*: its name or `path.py:Class`, with
    the parameters *given*; *account*: cash 0 stands for what the account holds; *bar*: length of
    bars built from trades; *depth*: of Bybit's book; *dead_man_s*: after so long without us the
    venue cancels everything, protective stops too; *keeps_orders*: whether open orders stay at the
    end; *sets_leverage*: whether the venue is told the account's leverage; *kill_limits*: of the
    automatic triggers; *model*: folder of a trained model, empty for none. *queue_max*: events that
    may wait; *workers*, *batch*: `async def` handlers at work at a time, and events of one in a
    row.
    """

    venue: str
    market: Markets
    role: Role
    symbols: tuple[str, ...]
    strategy: str
    data_dir: Path
    account_id: str = ""
    given: dict[str, Value] = {}
    account: AccountSettings = AccountSettings()
    seed: int = 0
    bar: str = "1m"
    depth: int = 50
    dead_man_s: int | None = None
    keeps_orders: bool = False
    sets_leverage: bool = True
    kill_limits: KillLimits = KillLimits()
    model: str = ""
    model_timeout_ms: int = 100
    queue_max: int = MAX_QUEUE
    workers: int = 4
    batch: int = 10

    def models(self) -> tuple[Module, ...]:
        """The modules of the model, none without one. *Raises*: `ModelRefused`."""
        lengths = [(symbol, self.bar) for symbol in self.symbols]
        return serving(self.model, lengths, deadline_ms=self.model_timeout_ms)

    @property
    def journal(self) -> Path:
        """The file that is the truth."""
        return self.data_dir / "journal.db"

    @property
    def latch(self) -> Path:
        """The second copy of the kill switch."""
        return self.data_dir / "kill.latch"

    @property
    def control(self) -> Path:
        """The socket for commands."""
        return self.data_dir / "control.sock"
