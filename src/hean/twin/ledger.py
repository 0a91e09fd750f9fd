# SPDX-License-Identifier: Apache-2.0
"""`ledger.py`: what really happened at the twin, in order, for whoever has to prove that no order
was lost or doubled. One JSON object a line, only ever appended; clients cannot change or read it
through the wire. Amounts are decimal text, times ns UTC.
"""

from __future__ import annotations

from collections import Counter, deque
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from hean.errors import EnvironmentFault
from hean.twin.orders import Execution, Order, Why

KEPT = 100_000  # records in memory, 40 MB of them; the file keeps all
_ENCODER = msgspec.json.Encoder(enc_hook=str)


class TwinLedger:
    """The record of one run. *path*: `None` keeps it in memory only.

    *Raises*: `EnvironmentFault`, `OSError` if the file cannot be opened.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._kept: deque[bytes] = deque(maxlen=KEPT)
        self.seq = 0
        self.counts: Counter[str] = Counter()
        """Records by kind."""
        if path is not None and path.exists() and not path.is_file():
            raise EnvironmentFault(f"--ledger {path}: not a regular file; choose another place.")
        self._path = path
        self._file = None if path is None else path.open("ab", buffering=0)
        self._failure: OSError | None = None

    def add(self, kind: str, ts_ns: int, **facts: Any) -> None:
        """Append one record; it is in the file when this returns."""
        self.seq += 1
        self.counts[kind] += 1
        record = _ENCODER.encode({"seq": self.seq, "ts_ns": ts_ns, "kind": kind, **facts})
        self._kept.append(record)
        if self._file is None or self._failure is not None:
            return
        try:
            self._file.write(record + b"\n")
        except OSError as error:  # what it tells has happened; the twin ends at the next step
            self._failure = error

    def check(self) -> None:
        """*Raises*: `EnvironmentFault` if a record could not be written."""
        if self._failure is not None:
            why = self._failure.strerror
            raise EnvironmentFault(f"--ledger {self._path}: {why}; the record is not complete.")

    def order(self, kind: str, order: Order, ts_ns: int, why: Why | None = None) -> None:
        """An order was accepted, amended, triggered or ended."""
        self.add(
            kind,
            ts_ns,
            account=order.account.name,
            market=order.market.listing.market,
            symbol=order.market.symbol,
            order_id=order.order_id,
            client_order_id=order.client_id,
            side=order.side,
            price=_text(order.price),
            qty=_text(order.quantity),
            filled_qty=_text(order.filled),
            status=order.status.value,
            reason=None if why is None else why.value,
        )

    def execution(self, execution: Execution) -> None:
        """A fill or a settlement."""
        order = execution.order
        self.add(
            execution.kind,
            execution.ts_ns,
            account=execution.account.name,
            market=execution.market.listing.market,
            symbol=execution.market.symbol,
            order_id=None if order is None else order.order_id,
            client_order_id=None if order is None else order.client_id,
            exec_id=str(execution.number),
            side=execution.side,
            price=_text(execution.price),
            qty=_text(execution.quantity),
            fee=_text(execution.fee),
            fee_asset=execution.fee_coin,
            is_maker=execution.is_maker,
        )

    def since(self, seq: int, limit: int) -> list[dict[str, Any]]:
        """Records after *seq*, oldest first; their numbers have no gap."""
        start = max(0, seq - (self.seq - len(self._kept)))
        return [msgspec.json.decode(row) for row in islice(self._kept, start, start + limit)]

    @property
    def records(self) -> list[dict[str, Any]]:
        """All that are remembered."""
        return self.since(0, KEPT)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"
