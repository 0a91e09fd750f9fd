# SPDX-License-Identifier: Apache-2.0
"""`ledger.py`: what really happened at the twin, in order, for whoever has to prove that no order
was lost or doubled. One JSON object a line, only ever appended; clients cannot change or read it
through the wire. Amounts are decimal text, times ns UTC.
"""

from __future__ import annotations

from collections import Counter, deque
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from hean.twin.orders import Execution, Order, Why

KEPT = 1_000_000  # records in memory; the file keeps all
_ENCODER = msgspec.json.Encoder(enc_hook=str)


class TwinLedger:
    """The record of one run. *path*: `None` keeps it in memory only.

    *Raises*: `OSError` if the file cannot be opened or written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.records: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.seq = 0
        self.counts: Counter[str] = Counter()
        """Records by kind."""
        self._file = None if path is None else path.open("ab", buffering=0)

    def add(self, kind: str, ts_ns: int, **facts: Any) -> None:
        """Append one record; it is in the file when this returns."""
        self.seq += 1
        self.counts[kind] += 1
        record = {"seq": self.seq, "ts_ns": ts_ns, "kind": kind, **facts}
        self.records.append(record)
        if self._file is not None:
            self._file.write(_ENCODER.encode(record) + b"\n")

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
        """Records after *seq*, oldest first."""
        found = [record for record in self.records if record["seq"] > seq]
        return found[:limit]

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"
