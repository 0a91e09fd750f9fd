# SPDX-License-Identifier: Apache-2.0
"""`call.py`: one request as a handler sees it, whether it came by REST or by the WebSocket API:
parameters as text, the clock, the account. A parameter is read by a method that says what it must
be and refuses in Binance's words. A route says what a path or method needs before its handler runs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_plus

from hean.twin.account import Account, Key
from hean.twin.binance import errors
from hean.twin.binance.errors import BinanceError
from hean.twin.binance.words import ms
from hean.twin.market import TwinMarket

if TYPE_CHECKING:
    from hean.twin.binance.dialect import BinanceDialect
    from hean.twin.wire import Session

DECIMAL_LEGAL = "^([0-9]{1,20})(\\.[0-9]{1,20})?$"
INTEGER_LEGAL = "^[0-9]{1,20}$"
SYMBOL_LEGAL = "^[A-Z0-9-_.]{1,20}$"
DIGITS_MAX = 20
SYMBOL_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
PARAMETERS_MAX = 100  # more than any call has; a longer list is an attack


class Security(Enum):
    """What a route asks of its caller."""

    NONE = 0
    KEY = 1
    SIGNED = 2
    TRADE = 3
    """Signed, with a key that may trade."""


Weight = int | Callable[["Call"], int]


class Route(NamedTuple):
    """A path or method. *names*: the parameters it reads; others are refused (`None`: ignored).
    *is_refunded*: its weight is given back when it succeeds.
    """

    handler: Callable[[Call], Any]
    security: Security = Security.NONE
    weight: Weight = 1
    names: frozenset[str] | None = None
    is_refunded: bool = False


Routes = Mapping[tuple[str, str], Route]
"""By (HTTP method, path)."""


@dataclass(slots=True)
class Call:
    """One request. *params*: decoded text by name. *key*: set by the frame when the route asks for
    one. *session*: of a WebSocket API request. *orders*: how many new orders it counted.
    """

    dialect: BinanceDialect
    family: str
    params: dict[str, str]
    now_ns: int
    key: Key | None = None
    session: Session | None = None
    orders: int = 0

    @property
    def now_ms(self) -> int:
        """The exchange's clock in ms."""
        return ms(self.now_ns)

    @property
    def account(self) -> Account:
        """Whose request it is."""
        assert self.key is not None
        return self.key.account

    def has(self, name: str) -> bool:
        """Whether a parameter was sent."""
        return name in self.params

    def text(self, name: str) -> str | None:
        """A parameter or `None`; an empty one is refused."""
        value = self.params.get(name)
        if value == "":
            raise errors.empty(name)
        return value

    def required(self, name: str) -> str:
        """A parameter that must be there."""
        value = self.params.get(name)
        if not value:
            raise errors.missing(name)
        return value

    def decimal(self, name: str, *, decimals: int | None = 8) -> Decimal | None:
        """A plain decimal number with at most *decimals* digits behind the point."""
        value = self.text(name)
        if value is None:
            return None
        whole, point, part = value.partition(".")
        is_plain = whole.isdecimal() and (part.isdecimal() or not point) and value.isascii()
        if not is_plain or len(whole) > DIGITS_MAX or len(part) > DIGITS_MAX:
            raise errors.illegal(name, DECIMAL_LEGAL)
        if decimals is not None and len(part.rstrip("0")) > decimals:
            raise errors.imprecise(name)
        return Decimal(value)

    def required_decimal(self, name: str, *, decimals: int | None = 8) -> Decimal:
        """A decimal number that must be there."""
        self.required(name)
        value = self.decimal(name, decimals=decimals)
        assert value is not None
        return value

    def integer(self, name: str) -> int | None:
        """A whole number."""
        value = self.text(name)
        if value is None:
            return None
        if not (value.isdecimal() and value.isascii() and len(value) <= DIGITS_MAX):
            raise errors.illegal(name, INTEGER_LEGAL)
        return int(value)

    def enum(
        self,
        name: str,
        values: Collection[str],
        refusal: tuple[int, str] | None = None,
        *,
        default: str | None = None,
    ) -> str:
        """One of *values*; without a *default* it must be there. *refusal*: code and text for a
        word that is none of them.
        """
        value = self.params.get(name)
        if not value:
            if default is None:
                raise errors.missing(name)
            return default
        if value not in values:
            raise errors.invalid(name) if refusal is None else BinanceError(*refusal)
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean as Binance writes it; case does not matter."""
        value = self.params.get(name)
        if value is None:
            return default
        word = value.lower()
        if word not in ("true", "false"):
            raise errors.invalid(name)
        return word == "true"

    def limit(self, default: int, highest: int) -> int:
        """How many rows; more than there may be is cut, zero refused."""
        value = self.integer("limit")
        if value is None:
            return default
        if value < 1:
            raise errors.invalid("limit")
        return min(value, highest)

    def market(self, name: str = "symbol") -> TwinMarket:
        """The listed symbol of this request's family."""
        return self.listed(self.required(name), name)

    def listed(self, symbol: str, name: str = "symbol") -> TwinMarket:
        """A listed symbol by its name."""
        if len(symbol) > DIGITS_MAX or not SYMBOL_CHARACTERS.issuperset(symbol):
            raise errors.illegal(name, SYMBOL_LEGAL)
        found = self.dialect.venue.markets.get((self.family, symbol))
        if found is None:
            raise errors.unknown_symbol()
        return found

    def count_orders(self, number: int = 1) -> None:
        """Count new orders against the account's limit; call it before placing them.

        *Raises*: `BinanceError` -1015 when there are too many.
        """
        self.dialect.limits.count_orders(self.family, self.account.name, number)
        self.orders += number


def parse_parameters(query: str, body: bytes) -> dict[str, str]:
    """Parameters of a query string and a form body; the query string wins.

    *Raises*: `BinanceError` -1101 for a name sent twice in one place, -1100 for bytes that are no
    text.
    """
    if not body:
        return _pairs(query)
    try:
        sent = _pairs(body.decode())
    except UnicodeDecodeError:
        raise BinanceError(-1100, "Illegal characters found in a parameter.") from None
    return {**sent, **_pairs(query)} if query else sent


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    if not text:
        return found
    pairs = text.split("&")
    if len(pairs) > PARAMETERS_MAX:
        raise BinanceError(-1101, "Too many parameters sent for this endpoint.")
    for pair in pairs:
        name, _, value = pair.partition("=")
        if not name:
            continue
        if name in found:
            raise BinanceError(-1101, "Duplicate values for a parameter detected.")
        found[name] = unquote_plus(value) if "%" in value or "+" in value else value
    return found
