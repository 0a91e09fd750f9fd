# SPDX-License-Identifier: Apache-2.0
"""`usdm_user.py`: what an account of the USD-M futures is told. A listen key names an account for
an hour; every socket that knows it hears the same events. Also keeps each account's history,
because it is built from the same events.
"""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from hean.twin.account import Account, Position
from hean.twin.binance import usdm_shapes as shapes
from hean.twin.binance.streams import combined
from hean.twin.binance.usdm_records import Records
from hean.twin.binance.words import ms
from hean.twin.orders import (
    BalanceEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    PositionEvent,
    SettingEvent,
)
from hean.twin.wire import Session

if TYPE_CHECKING:
    from hean.twin.binance.dialect import BinanceDialect

LIFE_NS = 3_600 * 1_000_000_000
LOOK_NS = 1_000_000_000  # keys are looked at once a second
KEY_LENGTH = 64
KEY_CHARACTERS = string.ascii_letters + string.digits
REASONS = {
    "ORDER": "ORDER",
    "FUNDING": "FUNDING_FEE",
    "TRANSFER": "DEPOSIT",
    "INSURANCE": "INSURANCE_CLEAR",
}


@dataclass(slots=True)
class ListenKey:
    """A key and who listens with it: session number to (session, name it goes by)."""

    text: str
    account: Account
    until_ns: int
    listeners: dict[int, tuple[Session, str]] = field(default_factory=dict)


class USERS:
    """User streams of all accounts."""

    def __init__(self, dialect: BinanceDialect) -> None:
        self.dialect = dialect
        self._keys: dict[str, ListenKey] = {}
        self._by_account: dict[int, ListenKey] = {}
        self._records: dict[int, Records] = {}
        self._moved: dict[int, Position] = {}
        self._looked_ns = 0

    def records(self, account: Account) -> Records:
        """History of an account."""
        return self._records.setdefault(account.number, Records())

    # --- listen keys

    def start(self, account: Account, now_ns: int) -> str:
        """The account's key, made or extended."""
        key = self._by_account.get(account.number)
        if key is None:
            text = "".join(self.dialect.venue.rng.choices(KEY_CHARACTERS, k=KEY_LENGTH))
            key = self._keys[text] = ListenKey(text, account, 0)
            self._by_account[account.number] = key
        key.until_ns = now_ns + LIFE_NS
        return key.text

    def extend(self, account: Account, now_ns: int) -> bool:
        """Another hour. *Returns*: whether there is a key."""
        key = self._by_account.get(account.number)
        if key is not None:
            key.until_ns = now_ns + LIFE_NS
        return key is not None

    def end(self, account: Account) -> None:
        """Forget the account's key; nothing is told to those who listen."""
        key = self._by_account.pop(account.number, None)
        if key is not None:
            del self._keys[key.text]

    def opened(self, session: Session, listen_keys: list[str]) -> bool:
        """A socket came with keys in its address. *Returns*: whether one of them is known."""
        known = [self.listens(session, text) for text in listen_keys]
        return any(known)

    def closed(self, session: Session) -> None:
        """A socket is gone."""
        for key in self._keys.values():
            key.listeners.pop(session.number, None)

    def listens(self, session: Session, stream: str) -> bool:
        """Let a socket hear what a key names. *Returns*: whether it names anything."""
        key = self._keys.get(stream)
        if key is not None:
            key.listeners[session.number] = (session, stream)
            session.account = key.account.name
        return key is not None

    def unlistens(self, session: Session, stream: str) -> None:
        """Let it hear no more."""
        key = self._keys.get(stream)
        if key is not None:
            key.listeners.pop(session.number, None)

    def tick(self, now_ns: int) -> None:
        """Keys that nobody extended lapse."""
        if now_ns - self._looked_ns < LOOK_NS:
            return
        self._looked_ns = now_ns
        for key in [key for key in self._keys.values() if key.until_ns <= now_ns]:
            told = {"e": "listenKeyExpired", "E": ms(now_ns), "listenKey": key.text}
            self._tell(key.account, told)
            self.end(key.account)

    # --- events

    def on_event(self, event: Event) -> None:
        """The exchange did something to an account."""
        match event:
            case OrderEvent() if event.order.market.listing.market == "linear":
                self._order(event)
            case ExecutionEvent() if event.execution.market.listing.market == "linear":
                self.records(event.execution.account).note(event.execution)
            case PositionEvent() if event.position.market.listing.market == "linear":
                self._moved[event.account.number] = event.position
            case BalanceEvent() if event.wallet == "linear":
                self._balance(event)
            case SettingEvent():
                self._setting(event)

    def _order(self, event: OrderEvent) -> None:
        order, account, ts_ns = event.order, event.order.account, event.ts_ns
        if event.kind == "triggered":
            order.extra["triggered_ns"] = ts_ns
            for word in ("TRIGGERING", "TRIGGERED"):
                self._tell(account, shapes.algo_update(order, ts_ns, word=word))
        if shapes.is_working(order):
            if event.execution is not None and event.execution.kind == "trade":
                self._tell(account, shapes.trade_lite(order, event.execution))
            self._tell(account, shapes.order_update(order, event.kind, ts_ns, event.execution))
        if event.kind == "rejected":
            self._tell(account, shapes.trigger_reject(order, ts_ns))
        if shapes.is_algo(order) and not (order.was_triggered and order.is_open):
            word = shapes.algo_status(order)
            self._tell(account, shapes.algo_update(order, ts_ns, word=word))

    def _balance(self, event: BalanceEvent) -> None:
        """Fills move a position too; funding of cross positions and transfers do not."""
        moved = self._moved.get(event.account.number) if event.reason == "ORDER" else None
        update = shapes.account_update(
            event.account,
            REASONS[event.reason],
            event.ts_ns,
            coins=event.coins,
            change=event.change,
            positions=() if moved is None else (moved,),
        )
        self._tell(event.account, update)

    def _setting(self, event: SettingEvent) -> None:
        account = event.account
        if event.what == "leverage":
            leverage = int(account.leverage_of(event.symbol))
            self._tell(account, shapes.config_update(event.symbol, leverage, event.ts_ns))
        elif event.what == "multi_assets":
            is_multi = self.records(account).is_multi
            self._tell(account, shapes.multi_assets_update(is_multi, event.ts_ns))

    def _tell(self, account: Account, event: dict[str, Any]) -> None:
        key = self._by_account.get(account.number)
        if key is None or not key.listeners:
            return
        payload = msgspec.json.encode(event)
        for session, stream in list(key.listeners.values()):
            wrapped = combined(stream, payload) if session.state.is_combined else payload
            session.push(wrapped, topic="user", private=True)
