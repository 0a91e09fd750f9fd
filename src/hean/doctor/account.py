# SPDX-License-Identifier: Apache-2.0
"""`account.py`: the venue and the account, asked as a trading process asks them and by the same
code, but only ever asked: nothing is set, sent or cancelled. A venue that is not there, or does not
take the key, ends the examination early; what was not asked is said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from hean.core.types import OrderType, Position
from hean.doctor.findings import Finding, fail, ok, unasked, warn
from hean.errors import HeanError, KeyRefused
from hean.live.parts import LiveParts
from hean.live.recovery import Books
from hean.live.settings import LiveSettings
from hean.net.budget import Budget
from hean.net.offset import HALT_NS, ROUND, TOLERATED_NS, ClockOffset
from hean.venues.adapters import budget_for, codec_for
from hean.venues.codec import Codec
from hean.venues.endpoints import Endpoints
from hean.venues.keys import key_facts
from hean.venues.questions import Questions
from hean.venues.reports import Listing, OrderReport
from hean.venues.signing import Signer

MS_NS = 1_000_000
SHOWN = 5  # orders named; there may be hundreds
HEADROOM_LOW = 0.5  # somebody else uses this key or address
TIMEOUT_S = 60.0  # of the whole examination
ASKED = (
    "clock",
    "key",
    "account",
    "trade permission",
    "withdraw permission",
    "address list",
    "modes",
    "positions",
    "orders",
    "protection",
    "rate budget",
    "dead man",
)
"""What only a venue can tell, in this order."""

Look = Callable[[], Awaitable[list[Finding]]]


class Examination:
    """Of one account. *books*: what the journal says of it; *is_waived*: whether the key may be one
    that works from any address.
    """

    def __init__(
        self,
        settings: LiveSettings,
        endpoints: Endpoints,
        signer: Signer,
        parts: LiveParts,
        *,
        books: Books | None,
        is_waived: bool,
    ) -> None:
        self._settings = settings
        self._endpoints = endpoints
        self._signer = signer
        self._parts = parts
        self._books = books
        self._is_waived = is_waived
        self._codec: Codec
        self._questions: Questions
        self._budget: Budget
        self._offset = ClockOffset()
        self._positions: Listing[Position] = Listing(())
        self._orders: Listing[OrderReport] = Listing(())

    async def run(self) -> list[Finding]:
        """Ask everything."""
        parts = self._parts
        budget = self._budget = budget_for(self._endpoints, scale=parts.budget_scale)
        async with parts.http(self._endpoints.rest) as client:
            codec = self._codec = codec_for(self._endpoints, self._signer)
            self._questions = Questions(
                codec,
                client,
                budget,
                self._offset,
                now=parts.now,
                on_key_refused=_forget,
                on_code=_forget,
            )
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    return await self._ask()
            except TimeoutError:
                text = f"{codec.name} did not answer everything within {TIMEOUT_S:g} s"
                return [_unreached(text), *unasked(ASKED[1:], "the venue is too slow")]

    async def _ask(self) -> list[Finding]:
        try:
            found = [await self._clock()]
        except HeanError as error:
            why = "the venue was not reached"
            return [_unreached(error.message), *unasked(ASKED[1:], why)]
        try:
            found.append(await self._key())
        except KeyRefused as error:
            what = "use a key of this network with trade permission and this machine's address"
            refused = fail("key", error.message, "accepted", what)
            return [*found, refused, *unasked(ASKED[2:], "the key was refused")]
        except HeanError as error:
            return [*found, _unreached(error.message), *unasked(ASKED[2:], "no answer")]
        looks: list[tuple[tuple[str, ...], Look]] = [
            (("account",), self._account),
            (("trade permission", "withdraw permission", "address list"), self._permissions),
            (("modes",), self._modes),
            (("positions",), self._held),
            (("orders",), self._open),
            (("protection",), self._protection),
        ]
        for names, look in looks:
            try:
                found += await look()
            except HeanError as error:
                what = "ask again; if it stays, the venue's status page may tell"
                found += [fail(name, error.message, "an answer", what) for name in names]
        return [*found, self._headroom(), self._dead_man()]

    # ------------------------------------------------------------ venue and key

    async def _clock(self) -> Finding:
        for _ in range(ROUND):
            sent_ns = self._parts.now()
            server_ns = await self._codec.server_time_ns(self._questions.ask)
            self._offset.sample(sent_ns, server_ns, self._parts.now())
        offset = self._offset.offset_ns
        text = f"{offset / MS_NS:+.0f} ms to {self._codec.name}"
        expected = f"within {TOLERATED_NS // MS_NS} ms"
        what = "synchronise this machine's clock (NTP), then look again"
        if abs(offset) > HALT_NS:
            return fail("clock", text, expected, f"nothing new would leave: {what}")
        if abs(offset) > TOLERATED_NS:
            return warn("clock", text, expected, f"it is corrected for; {what}")
        return ok("clock", text)

    async def _key(self) -> Finding:
        balances = (await self._codec.balances(self._questions.ask)).rows
        held = ", ".join(f"{each.total.normalize():f} {each.asset}" for each in balances[:SHOWN])
        return ok("key", f"{self._codec.key_label} is accepted; the account holds {held or '-'}")

    async def _account(self) -> list[Finding]:
        told = await self._codec.account_id(self._questions.ask)
        wanted = self._settings.account_id
        if told and wanted and told != wanted:
            text = f"the key belongs to account {told}"
            what = "two accounts are swapped: use the other key, or correct HEAN_ACCOUNT_ID"
            return [fail("account", text, wanted, what)]
        if not wanted:
            expected = "configured, so that a swapped key is noticed"
            what = f"set HEAN_ACCOUNT_ID{f'={told}' if told else ''}"
            return [warn("account", told or "this venue does not tell", expected, what)]
        if not told:
            text = f"configured {wanted}; this venue does not tell whose the key is"
            return [warn("account", text, "told", "make sure by hand that the key is this one's")]
        return [ok("account", told)]

    async def _permissions(self) -> list[Finding]:
        facts = await key_facts(self._codec, self._questions, self._parts.http)
        is_lenient = self._settings.role == "testnet"
        silent = "this venue does not tell here"
        found = []
        if facts.may_trade:
            found.append(ok("trade permission", "yes"))
        elif facts.may_trade is None and is_lenient:
            found.append(warn("trade permission", silent, "yes", "see the key's page"))
        else:
            text = silent if facts.may_trade is None else "no: the key only reads"
            what = "give the key trade permission, or use another key"
            found.append(fail("trade permission", text, "yes", what))
        if facts.may_withdraw is False:
            found.append(ok("withdraw permission", "no"))
        elif facts.may_withdraw is None and is_lenient:
            found.append(warn("withdraw permission", silent, "no", "see the key's page"))
        else:
            text = silent if facts.may_withdraw is None else "yes"
            what = "take it away: whoever gets this key could take the money"
            found.append(fail("withdraw permission", text, "no", what))
        return [*found, self._bound(facts.is_bound)]

    def _bound(self, is_bound: bool | None) -> Finding:
        if is_bound:
            return ok("address list", "the key works from listed addresses only")
        text = (
            "this venue does not tell here" if is_bound is None else "the key works from anywhere"
        )
        if self._is_waived:
            what = "waived by waive_key_addresses; better bind the key to this address"
            return warn("address list", text, "listed addresses only", what)
        what = "bind the key to this machine's address, or set waive_key_addresses in the file"
        return fail("address list", text, "listed addresses only", what)

    # ------------------------------------------------------------ the account

    async def _modes(self) -> list[Finding]:
        symbols = self._settings.symbols
        if not symbols:
            return unasked(("modes",), "no symbols are configured")
        words = await self._codec.modes(self._questions.ask, symbols)
        if "hedge" in words:
            what = "close everything, then switch to one-way mode; hean live tries so at its start"
            return [fail("modes", words, "one-way positions", what)]
        return [ok("modes", words or "spot has none")]

    async def _held(self) -> list[Finding]:
        self._positions = await self._codec.positions(self._questions.ask)
        held = {each.symbol: each for each in self._positions.rows if each.qty}
        differing = []
        for symbol in sorted({*held, *(self._books.instruments if self._books else ())}):
            ours = self._ours(symbol)
            theirs = held[symbol].qty if symbol in held else Decimal(0)
            if not self._is_coin(symbol) and ours != theirs:
                differing.append(f"{symbol}: venue {theirs:f}, journal {ours:f}")
        if differing and self._books is not None:
            what = "hean live will halt on it: close or explain the difference first"
            return [fail("positions", "; ".join(differing), "what the journal says", what)]
        if differing:
            what = "HEAN would not count them as its own: close them, or use another account"
            return [warn("positions", "; ".join(differing), "none before the first start", what)]
        return [*self._leverage(held), ok("positions", self._words(held) or "none")]

    def _is_coin(self, symbol: str) -> bool:
        """Whether it is no position at the venue, but part of the wallet."""
        rules = self._books.instruments.get(symbol) if self._books is not None else None
        return rules is not None and rules.kind == "spot"

    def _ours(self, symbol: str) -> Decimal:
        books = self._books
        if books is None or symbol not in books.instruments:
            return Decimal(0)
        return Decimal(books.engine.position(symbol))

    def _words(self, held: dict[str, Position]) -> str:
        return ", ".join(
            f"{each.qty:f} {symbol} at {each.avg_price:f}" for symbol, each in held.items()
        )

    def _leverage(self, held: dict[str, Position]) -> list[Finding]:
        wanted = float(self._settings.account.leverage)
        other = [
            f"{symbol} {each.leverage:g}"
            for symbol, each in held.items()
            if each.leverage is not None and each.leverage != wanted
        ]
        if not other:
            return []
        what = "hean live sets it at its start; the margin of open positions changes with it"
        return [warn("leverage", ", ".join(other), f"{wanted:g}", what)]

    async def _open(self) -> list[Finding]:
        self._orders = await self._codec.open_orders(self._questions.ask)
        known = self._known()
        there = {each.client_order_id for each in self._orders.rows}
        strange = [
            each.client_order_id or f"venue {each.exchange_order_id}"
            for each in self._orders.rows
            if each.client_order_id not in known
        ]
        gone = sorted(set(known) - there)
        found = []
        if strange:
            text = f"{len(strange)} unknown to the journal: {', '.join(strange[:SHOWN])}"
            what = "cancel them, or find out who made them; a start halts until somebody has looked"
            found.append(warn("orders", text, "those of the journal", what))
        if gone:
            text = f"{len(gone)} of the journal not open any more: {', '.join(gone[:SHOWN])}"
            what = "nothing: the next start finds out what became of them"
            found.append(warn("orders", text, "told by the next start", what))
        if not self._orders.is_complete:
            found.append(warn("orders", "the list has an end missing", "complete", "look again"))
        return found or [ok("orders", f"{len(there)} open, all in the journal")]

    def _known(self) -> dict[str, dict[str, Any]]:
        orders = self._books.open_orders() if self._books is not None else []
        return {str(order["client_order_id"]): order for order in orders}

    async def _protection(self) -> list[Finding]:
        there = {each.client_order_id for each in self._orders.rows}
        stops = {
            order["symbol"]
            for order_id, order in self._known().items()
            if order_id in there and order["reduce_only"] and order["type"] == OrderType.STOP
        }
        bare = [
            each.symbol for each in self._positions.rows if each.qty and each.symbol not in stops
        ]
        if not bare:
            held = [each.symbol for each in self._positions.rows if each.qty]
            return [ok("protection", f"stops rest for {', '.join(held)}" if held else "flat")]
        text = f"no stop of HEAN rests for {', '.join(bare)}"
        what = "nothing, if the strategy means it so; else close or protect by hand"
        return [warn("protection", text, "a stop for each position", what)]

    # ------------------------------------------------------------ without asking

    def _headroom(self) -> Finding:
        left = self._budget.headroom_fraction(self._questions.ticks_ns())
        text = f"{left:.0%} of the scarcest limit is free"
        if left < HEADROOM_LOW:
            what = "find out who else uses this key or address"
            return warn("rate budget", text, f"{HEADROOM_LOW:.0%} or more", what)
        return ok("rate budget", text)

    def _dead_man(self) -> Finding:
        settings = self._settings
        if (settings.venue, settings.market) == ("binance", "spot"):
            text = "this venue cancels nothing by itself when HEAN is silent"
            return warn("dead man", text, "somebody who does", "run hean watchdog beside hean live")
        return ok("dead man", "the venue can cancel all when HEAN is silent (hean live --dead-man)")


def _unreached(why: str) -> Finding:
    what = "look at network, proxy and the venue's status page"
    return fail("venue", why, "an answer", what, is_environment=True)


def _forget(_told: object) -> None:
    """Said in the finding already, or nothing to a single look."""
