# SPDX-License-Identifier: Apache-2.0
"""`reconcile.py`: our books beside the venue's, after every reading of the account. A difference is
believed only when a second reading, a moment later, shows it too; then it is told, and the books
are not clean. If it is about exposure and stays for ten seconds, nothing new may be opened and the
venue's truth is adopted: too much counted is a nuisance, too little is a risk. What the account
holds when a journal begins is adopted as it is. A reading with an end missing is never read as flat
and never clean.

Compared are: positions of perpetuals by symbol, exactly; on spot the coins, as what the account
held at the first reading and every execution since; open orders both ways; and, as a note only, the
wallet of the quote coin against the ledger, whose rounding is not the venue's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from hean._core import Instrument, OrderEngine
from hean.core.listing import pair_of
from hean.core.module import Module, on
from hean.core.types import (
    AccountRead,
    Command,
    Event,
    EventType,
    Funding,
    OrderFilled,
    Position,
    Reconcile,
    Side,
)
from hean.errors import HeanError, OrderUnknown
from hean.reconcile.compare import (
    Change,
    Difference,
    Held,
    OurOrder,
    Weight,
    compare_held,
    compare_orders,
    compare_strangers,
    later,
)

HALT_AFTER_NS = 10_000_000_000  # RELIABILITY 2.4: so long an unexplained position may last
HURRY_NS = 15_000_000_000  # so long a difference brings readings forward; they are dear
CHANGES_MAX = 100_000  # executions remembered: 10,000 a second for ten seconds
EXTERNAL_MAX = 20  # executions nobody here asked for that one verdict names
QUOTE_TOLERANCE = Decimal("0.01")  # what the rounding of many executions may come to
S_NS = 1_000_000_000
ZERO = Decimal(0)
FIRST = "first reading"  # not comparable: the next one is asked for, and is no verdict either
ADOPTED = "venue-adopt-"  # beginning of the order id of what is adopted


@dataclass(slots=True)
class _Seen:
    """A difference that was seen. *since_ns*: bus time of the first reading; *count*: readings."""

    since_ns: int
    count: int = 0
    is_told: bool = False


class Reconciler(Module):
    """Compares. *instruments*: what is traded; *look_again*: asks for another reading in a moment;
    *is_fresh*: nothing was ever compared in this journal, so what the account holds is adopted;
    *quote*: the coin that is paid with; *cash*: the ledger's; *reference*: last price of a symbol,
    for what is adopted where the venue names no entry.
    """

    name = "reconcile"
    truth = True
    produces = (EventType.RECONCILE, EventType.ORDER_FILLED, EventType.COMMAND)

    def __init__(
        self,
        engine: OrderEngine,
        instruments: Mapping[str, Instrument],
        *,
        look_again: Callable[[], None],
        is_fresh: bool = False,
        quote: str = "USDT",
        cash: Callable[[], Decimal] | None = None,
        reference: Callable[[str], float | None] = lambda symbol: None,
        account: str = "",
    ) -> None:
        self.is_clean = False
        """Whether the books agreed with the last reading."""
        self.clean_ns = 0
        """Bus time of the last reading that agreed, 0 before the first."""
        self._engine = engine
        self._instruments = instruments
        self._look_again = look_again
        self._is_fresh = is_fresh
        self._quote = quote
        self._cash = cash
        self._reference = reference
        self._account = account
        self._spot = {
            symbol: pair_of(symbol).removesuffix(quote)
            for symbol, rules in instruments.items()
            if rules.kind == "spot"
        }
        self._entries: dict[str, Decimal] = {}  # the venue's entry price, by symbol
        self._quarantined: set[str] = set()
        self._coins: dict[str, Decimal] | None = None  # what the account should hold of each
        self._unpaid = ZERO  # wallet minus ledger, as of the last reading
        self._gap = ZERO  # what the last reading did not explain of it
        self._adopting: dict[str, Decimal] = {}  # emitted in this reading, not yet in the engine
        self._external: list[str] = []
        self._changes: list[Change] = []
        self._before: AccountRead | None = None
        self._seen: dict[str, _Seen] = {}
        self._agreed_ns: dict[str, int] = {}

    def position_problem(self, symbol: str, since_ns: int) -> str:
        """Why it is not shown that the position of *symbol*, as of a reading begun at *since_ns*
        (venue time) or later, is what our fills explain; empty if it is.
        """
        name = self._spot.get(symbol, symbol)
        if name in self._seen:
            return f"the position of {symbol} is not what our fills explain"
        if self._agreed_ns.get(name, -1) < since_ns:
            return f"the position of {symbol} was not read since"
        return ""

    # ------------------------------------------------------------ what is gathered

    @on(EventType.POSITION)
    def on_position(self, event: Event) -> None:
        """The price at which the venue thinks that a position was entered."""
        position: Position = event.data
        self._entries[position.symbol] = position.avg_price or position.mark_price or ZERO

    @on(EventType.ORDER_FILLED)
    def on_filled(self, event: Event) -> None:
        """What an execution did to what we hold."""
        fill: OrderFilled = event.data
        if fill.is_kept:
            return  # the buy has told its fee, to the last digit
        self._quarantined.discard(fill.order_id)
        if fill.is_forced and not fill.order_id.startswith(ADOPTED):
            self._external.append(f"{fill.side} {fill.filled_qty:f} {fill.symbol}")
            del self._external[:-EXTERNAL_MAX]
        at_ns = fill.executed_ns or event.ts_ns
        signed = fill.filled_qty if fill.side is Side.BUY else -fill.filled_qty
        coin = self._spot.get(fill.symbol)
        if coin is None:
            self._changes.append(Change(fill.symbol, signed, at_ns))
        else:
            self._change(coin, signed, at_ns)
            self._change(self._quote, -signed * fill.fill_price, at_ns)
            if fill.fee:
                self._change(fill.fee_asset or self._quote, -fill.fee, at_ns)
        del self._changes[:-CHANGES_MAX]

    @on(EventType.FUNDING)
    def on_funding(self, event: Event) -> None:
        """A payment that a reading begun before it may show, or not."""
        funding: Funding = event.data
        if funding.amount is not None and funding.is_in_quote:
            self._change(self._quote, funding.amount, funding.settled_ns or event.ts_ns)

    def _change(self, coin: str, amount: Decimal, at_ns: int) -> None:
        self._changes.append(Change(coin, amount, at_ns))
        if self._coins is not None and coin in self._coins:
            self._coins[coin] += amount

    @on(EventType.ORDER_QUARANTINED)
    def on_quarantined(self, event: Event) -> None:
        """That the venue does not show it is known already."""
        self._quarantined.add(event.data.order_id)

    @on(EventType.ORDER_PLACED, EventType.ORDER_CANCELLED, EventType.ORDER_ABSENT)
    def on_decided(self, event: Event) -> None:
        """Nobody need ask any more."""
        self._quarantined.discard(event.data.order_id)

    # ------------------------------------------------------------ a reading

    @on(EventType.ACCOUNT_READ)
    def on_read(self, event: Event) -> None:
        """Compare, tell, and look again where that may explain something."""
        read: AccountRead = event.data
        if read.account not in ("", self._account):
            return
        now_ns = event.ts_ns
        if not read.is_complete:
            found = [Difference("reading", Weight.OPEN, "a list of the venue is incomplete")]
            self._judge(found, now_ns, read)
            return
        self._changes.sort(key=lambda change: change.at_ns)
        if self._before is not None:
            self._forgive(self._before)
        found = [*self._begin(read), *self._compare(read)]
        wrong = {each.key for each in found if each.weight is Weight.WRONG}
        for ours in self._held():
            if ours.name not in wrong:
                self._agreed_ns[ours.name] = read.began_ns
        self._judge(found, now_ns, read)
        self._adopting = {}  # the engine has it before the next reading
        self._before = read
        first_ns = read.began_ns - HALT_AFTER_NS
        self._changes = [change for change in self._changes if change.at_ns >= first_ns]

    def _compare(self, read: AccountRead) -> list[Difference]:
        orders = {order.order_id: order for order in self._orders(read)}
        return [
            *compare_held(self._held(), _venue(read), self._changes, read.began_ns),
            *compare_orders(read.orders, orders, read.began_ns),
            *compare_strangers(read, self._instruments),
            *self._notes(read),
        ]

    def _forgive(self, before: AccountRead) -> None:
        """What the last reading showed and executions told since explain is no difference."""
        again = compare_held(self._held(), _venue(before), self._changes, before.began_ns)
        still = {each.key for each in again if each.weight is Weight.WRONG}
        for ours in self._held():
            if ours.name not in still:
                self._seen.pop(ours.name, None)

    def _judge(self, found: list[Difference], now_ns: int, read: AccountRead) -> None:
        """A verdict, once a second reading has confirmed what the first showed."""
        doubts = {each.key: each for each in found if each.weight is not Weight.NOTE}
        if read.is_complete:
            self._seen = {key: seen for key, seen in self._seen.items() if key in doubts}
        for key in doubts:
            self._seen.setdefault(key, _Seen(now_ns)).count += 1
        lasting = [
            doubts[key]
            for key, seen in self._seen.items()
            if key in doubts and key != FIRST and seen.count > 1
        ]
        oldest_ns = min((seen.since_ns for seen in self._seen.values()), default=now_ns)
        if doubts and now_ns - oldest_ns < HURRY_NS:
            self._look_again()
        if doubts and not lasting:
            return  # the next reading decides
        self.is_clean = not lasting
        if self.is_clean:
            self.clean_ns = now_ns
        lag_s = (now_ns - self.clean_ns) / S_NS if self.clean_ns else 0.0
        sentences = tuple(each.sentence for each in found)
        self.context.emit(Reconcile(self.is_clean, sentences, lag_s, self._account))
        self._external.clear()
        for each in lasting:
            if each.weight is Weight.WRONG:
                self._halt(each, now_ns, read)

    def _halt(self, difference: Difference, now_ns: int, read: AccountRead) -> None:
        """It has lasted: stop what is new, and believe the venue."""
        seen, key = self._seen[difference.key], difference.key
        if now_ns - seen.since_ns < HALT_AFTER_NS:
            return
        if not seen.is_told:
            seen.is_told = True
            lasted_s = (now_ns - seen.since_ns) // S_NS
            reason = (
                f"{difference.sentence}, for {lasted_s} s. The venue's word is adopted; find out "
                "who traded or moved it before the halt is released."
            )
            wanted = {"level": "HALT_NEW", "reason": reason}
            self.context.emit(Command("kill", wanted, f"auto:{self.name}"))
        if any(change.name == key for change in later(self._changes, read.began_ns)):
            return  # how much of it was traded meanwhile is seen by the next reading
        if key in self._instruments:
            self._adopt(key, read)
        elif self._coins is not None and key in self._coins:
            self._coins[key] = _venue(read).get(key, ZERO)

    # ------------------------------------------------------------ adopting

    def _begin(self, read: AccountRead) -> list[Difference]:
        """What the first complete reading of a process, and of a journal, is taken for."""
        if self._coins is None:
            is_busy = bool(later(self._changes, read.began_ns))
            if is_busy and (self._spot or self._is_fresh):
                text = "executions came in during the first reading: it cannot be compared with"
                return [Difference(FIRST, Weight.OPEN, text)]
            venue = _venue(read)
            names = sorted({*self._spot.values()} | self._paid_from_wallet())
            self._coins = {name: venue.get(name, ZERO) for name in names}
            self._unpaid = venue.get(self._quote, ZERO) - self._ledger_cash()
        if not self._is_fresh:
            return []
        self._is_fresh = False
        notes = []
        for symbol in self._instruments:
            quantity = self._adopt(symbol, read) if symbol not in self._spot else ZERO
            if quantity:
                sentence = f"position {symbol}: {quantity:+f} were there already and are adopted"
                notes.append(Difference(f"adopted {symbol}", Weight.NOTE, sentence))
        return notes

    def _adopt(self, symbol: str, read: AccountRead) -> Decimal:
        """Take over the venue's position as an execution that nobody here asked for.

        *Returns*: what was missing, 0 where nothing can be booked.
        """
        rules = self._instruments[symbol]
        missing = _venue(read).get(symbol, ZERO) - self._engine.position(symbol)
        entry = float(self._entries.get(symbol, ZERO)) or self._reference(symbol) or 0.0
        if not missing or entry <= 0:
            return ZERO
        try:
            rules.quantity_lots(abs(missing))
            price = rules.price_decimal(rules.quantise_price(entry, "nearest"))
        except HeanError:
            return ZERO  # it fits no order of ours: a person has to look
        self._adopting[symbol] = missing
        self.context.emit(
            OrderFilled(
                f"{ADOPTED}{symbol}",
                price,
                abs(missing),
                symbol,
                Side.BUY if missing > 0 else Side.SELL,
                exec_id=f"adopt-{symbol}-{read.began_ns}",
                executed_ns=read.began_ns,
            )
        )
        return missing

    # ------------------------------------------------------------ our side

    def _held(self) -> list[Held]:
        """What decides about exposure: positions, and on spot the coins that are traded."""
        held = []
        for symbol, rules in self._instruments.items():
            coin = self._spot.get(symbol)
            if coin is None:
                ours = self._engine.position(symbol) + self._adopting.get(symbol, ZERO)
                held.append(Held(symbol, f"position {symbol}", ours))
            elif self._coins is not None:
                dust = Decimal(str(rules.lot_size)) / 2
                held.append(Held(coin, f"coin {coin}", self._coins[coin], dust))
        return held

    def _orders(self, read: AccountRead) -> Iterator[OurOrder]:
        """Open orders, and those that the venue takes for open."""
        known = {
            order["client_order_id"]: order
            for order in self._engine.open_orders()
            if not order["is_sliced"]  # only its slices are at the venue
        }
        for listed in read.orders:
            order_id = listed.client_order_id
            if order_id and order_id not in known:
                try:
                    known[order_id] = self._engine.get(order_id)
                except OrderUnknown:
                    continue
        for order_id, order in known.items():
            yield OurOrder(
                order_id,
                order["symbol"],
                order["status"],
                order["filled_qty"],
                order["created_at"],
                order["updated_at"],
                bool(order["exchange_order_id"]),
                order_id in self._quarantined,
            )

    def _notes(self, read: AccountRead) -> Iterator[Difference]:
        """Executions of others, and the money: told, and taken as it is."""
        for each in self._external:
            yield Difference("external", Weight.NOTE, f"executed without an order of ours: {each}")
        if self._coins is None or later(self._changes, read.began_ns):
            return  # which of the executions the wallet shows cannot be said
        if self._cash is None and not self._spot:
            return
        wallet = _venue(read).get(self._quote, ZERO)
        ours = self._coins.get(self._quote, self._ledger_cash() + self._unpaid)
        gap, before = wallet - ours, self._gap
        self._gap = gap
        # Money is moved before it is told: funding and fees may be on their way.
        if abs(gap) <= QUOTE_TOLERANCE or abs(gap - before) > QUOTE_TOLERANCE:
            return
        self._gap = ZERO
        yield Difference(
            "wallet",
            Weight.NOTE,
            f"wallet {self._quote}: the venue has {wallet:f}, our executions explain {ours:f}; "
            "a transfer, a fee or funding that was not told, taken as it is",
        )
        self._unpaid = wallet - self._ledger_cash()
        if self._quote in self._coins:
            self._coins[self._quote] = wallet

    def _paid_from_wallet(self) -> set[str]:
        """The quote coin where only spot is traded: with perpetuals the ledger knows better."""
        return {self._quote} if self._spot and self._cash is None else set()

    def _ledger_cash(self) -> Decimal:
        return self._cash() if self._cash is not None else ZERO


def _venue(read: AccountRead) -> dict[str, Decimal]:
    """What the venue holds, by symbol or coin; both sides of a hedged position in one."""
    held: dict[str, Decimal] = dict(read.balances)
    for symbol, quantity in read.positions:
        held[symbol] = held.get(symbol, ZERO) + quantity
    return held
