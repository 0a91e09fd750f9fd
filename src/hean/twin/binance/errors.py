# SPDX-License-Identifier: Apache-2.0
"""`errors.py`: how Binance says no: a negative code, a text, an HTTP status. Clients read both the
code and the text (one code has many reasons), so the texts are Binance's own, word for word.
"""

from __future__ import annotations

from typing import Any

from hean.twin.orders import Refused, Why
from hean.twin.wire import readable

Refusals = dict[Why, tuple[int, str]]
"""What the exchange's refusals are called in one family."""


class BinanceError(Exception):
    """A request is refused. *data*: what else the body carries (cancel-replace). *retry_after_s*:
    for rate limits.

    Reaction: the client gets the code; nothing has changed at the exchange.
    """

    def __init__(
        self,
        code: int,
        msg: str,
        status: int = 400,
        *,
        data: Any = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(f"{code} {msg}")
        self.code = code
        self.msg = readable(msg)
        self.status = status
        self.data = data
        self.retry_after_s = retry_after_s

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body of a refusal."""
        plain = {"code": self.code, "msg": self.msg}
        return plain if self.data is None else {**plain, "data": self.data}


def translated(refused: Refused, refusals: Refusals) -> BinanceError:
    """The exchange's refusal in Binance's words; -2010 for what a family has no words for."""
    code, msg = refusals.get(refused.why, (-2010, f"Order rejected: {refused.why.value}."))
    bound = "" if refused.allowed is None else f"{refused.allowed.normalize():f}"
    return BinanceError(code, msg.replace("{allowed}", bound))


def missing(name: str) -> BinanceError:
    """A mandatory parameter is not there."""
    return BinanceError(
        -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def missing_both(first: str, second: str) -> BinanceError:
    """One of two parameters is needed."""
    return BinanceError(
        -1102, f"Param '{first}' or '{second}' must be sent, but both were empty/null!"
    )


def empty(name: str) -> BinanceError:
    """A parameter has no value."""
    return BinanceError(-1105, f"Parameter '{name}' was empty.")


def illegal(name: str, legal: str) -> BinanceError:
    """A parameter has characters it may not have."""
    return BinanceError(
        -1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."
    )


def imprecise(name: str) -> BinanceError:
    """A number has more decimals than there are."""
    return BinanceError(-1111, f"Parameter '{name}' has too much precision.")


def not_required(name: str) -> BinanceError:
    """A parameter is there that the order type forbids."""
    return BinanceError(-1106, f"Parameter '{name}' sent when not required.")


def invalid(name: str) -> BinanceError:
    """A parameter has a value it may not have."""
    return BinanceError(-1130, f"Data sent for parameter '{name}' is not valid.")


def unknown_symbol() -> BinanceError:
    """No such symbol."""
    return BinanceError(-1121, "Invalid symbol.")
