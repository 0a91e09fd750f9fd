# SPDX-License-Identifier: Apache-2.0
"""`requests.py`: what goes wrong with a request or an order-socket message: no answer, a lie,
garbage, a refusal that is none of the client's fault. Whether the exchange got the request is
always said by the dial, never left open, so that the ledger can prove what the client had to find
out.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hean.twin.faults.act import Act, RequestFault
from hean.twin.faults.asked import Asked
from hean.twin.faults.voices import Trouble, http_trouble, reply_of, trouble_of
from hean.twin.wire import Reply

NS = 1_000_000_000
CANCELS = frozenset({"cancel", "cancel_batch", "cancel_all"})
TRADING = CANCELS | {
    "create",
    "stop",
    "amend",
    "replace",
    "create_batch",
    "amend_batch",
    "leverage",
    "position_mode",
}
OPEN = frozenset(
    {"time", "instruments", "book", "candles", "trades", "tickers", "status", "subscribe", "ping"}
)
"""What needs no key, though clients may show one."""
MISSING_IDS = frozenset({"orderId", "orderLinkId", "clientOrderId", "algoId", "clientAlgoId"})
PAGED = frozenset({"orders", "order_history", "executions", "positions", "instruments"})


class TimeoutAccepted(Act):
    """Done, never answered."""

    def request(self, asked: Asked) -> RequestFault | None:
        """Let it through and keep the line open in silence."""
        return RequestFault(ending="hang", hold_s=self["hold_s"])


class TimeoutLost(Act):
    """Neither done nor answered."""

    def request(self, asked: Asked) -> RequestFault | None:
        """Swallow it and keep the line open in silence."""
        return RequestFault(is_processed=False, ending="hang", hold_s=self["hold_s"])


class TimeoutLate(Act):
    """Done late, never answered. At the engine the receive window was checked in time."""

    def request(self, asked: Asked) -> RequestFault | None:
        """Hold it, let it through, keep silent."""
        delay_s = self["delay_s"]
        lag_ns = int(delay_s * NS) if self["held"] == "engine" else 0
        hold_s = self["hold_s"]
        return RequestFault(wait_s=delay_s, ending="hang", hold_s=hold_s, lag_ns=lag_ns)


class ResetAfterRequest(Act):
    """The line dies once the request has been read, or within the answer."""

    def request(self, asked: Asked) -> RequestFault | None:
        """Cut where the dial says."""
        is_processed, cut_at = self["accepted"], self["answer_bytes"]
        return RequestFault(is_processed=is_processed, ending="reset", cut_at=cut_at)


class ServerError(Act):
    """An answer that says nothing about the outcome."""

    def request(self, asked: Asked) -> RequestFault | None:
        """A gateway's page, or the venue's own code."""
        code = self["code"]
        if code == "http":
            trouble = http_trouble(self["status"])
        else:
            trouble = trouble_of(self.exchange, "busy" if code == "venue" else code, asked.market)
        return RequestFault(is_processed=self["accepted"], trouble=trouble)


class Refusal(Act):
    """A refusal that is documented as not having reached the exchange."""

    name = ""

    def request(self, asked: Asked) -> RequestFault | None:
        """Refuse; the exchange never hears of it."""
        return RequestFault(is_processed=False, trouble=self.trouble(asked))

    def trouble(self, asked: Asked) -> Trouble:
        """What is answered."""
        return trouble_of(self.exchange, self.name, asked.market)


class Overloaded(Refusal):
    """Too busy; not accepted."""

    name = "overloaded"


class RateLimited(Refusal):
    """Too many requests, with or without word when to come again."""

    name = "rate_limited"

    def fits(self, asked: Asked) -> bool:
        """Cancels pass if they are spared."""
        return super().fits(asked) and not (self["spares_cancels"] and asked.op in CANCELS)

    def trouble(self, asked: Asked) -> Trouble:
        """With the headers that say when to come again."""
        found = super().trouble(asked)
        if not self["tells_when"]:
            return found
        wait_s = self["retry_after_s"]
        if self.exchange == "binance":
            return found.waiting({"Retry-After": str(max(1, round(wait_s)))})
        reset_ms = self.venue.now() // 1_000_000 + int(wait_s * 1_000)
        return found.waiting(
            {
                "X-Bapi-Limit": "10",
                "X-Bapi-Limit-Status": "0",
                "X-Bapi-Limit-Reset-Timestamp": str(reset_ms),
            }
        )


class IpBanned(Refusal):
    """Nothing is answered but the ban, on any channel."""

    name = "ip_banned"

    def trouble(self, asked: Asked) -> Trouble:
        """With what is left of the ban."""
        found = super().trouble(asked)
        left_s = max(1, round(self.setting.until_s - self.faults.now_s()))
        is_told = self.exchange == "binance"
        return found.waiting({"Retry-After": str(left_s)}) if is_told else found

    def connect(self, path: str) -> Reply | None:
        """Sockets are banned as well."""
        trouble = self.trouble(Asked("ws", path))
        return reply_of(self.exchange, trouble, self.venue.now() // 1_000_000)


class KeyRefused(Refusal):
    """The key is good for nothing any more, or not for this."""

    def fits(self, asked: Asked) -> bool:
        """Only what is signed, or logs in; without the permission reading still works."""
        if self["reason"] == "permission":
            return asked.op in TRADING and super().fits(asked)
        is_signed = bool(asked.account) and asked.op not in OPEN
        return (is_signed or asked.op == "login") and super().fits(asked)

    def trouble(self, asked: Asked) -> Trouble:
        """For its reason."""
        return trouble_of(self.exchange, f"key_{self['reason']}")


class StopRefused(Refusal):
    """No stop may be placed."""

    name = "stop_refused"

    def fits(self, asked: Asked) -> bool:
        """Only stops."""
        return asked.is_stop and super().fits(asked)


class GarbageBody(Act):
    """A good status and a body that is none."""

    def request(self, asked: Asked) -> RequestFault | None:
        """Spoil the true answer, or invent one."""
        form = self["form"]
        if form == "html":
            trouble = Trouble(0, "Please wait", 200, html=True)
            return RequestFault(is_processed=self["accepted"], trouble=trouble)
        is_processed = self["accepted"]
        return RequestFault(
            is_processed=is_processed,
            trouble=None if is_processed else Trouble(0, "OK"),
            mangle=lambda data: _garbage(data, form),
        )


def _garbage(data: bytes, form: str) -> bytes:
    match form:
        case "truncated":
            return data[: len(data) // 2]
        case "encoding":
            return data.decode("utf-8", "replace").encode("cp500")
        case "empty":
            return b""
        case "empty_list":
            return b"[]"
    return msgspec.json.encode(_without(msgspec.json.decode(data), MISSING_IDS))


def _without(value: Any, names: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {k: _without(v, names) for k, v in value.items() if k not in names}
    return [_without(each, names) for each in value] if isinstance(value, list) else value


class ClockSkew(Act):
    """The exchange's clock is off for everybody."""

    def begin(self) -> None:
        """Move the clock."""
        self.faults.skew(int(self["offset_s"] * NS))
        self.acted(offset_s=self["offset_s"])

    def end(self) -> None:
        """Set it right."""
        self.faults.skew(0)


class ClockJump(Act):
    """Some requests meet a machine whose clock is off."""

    def request(self, asked: Asked) -> RequestFault | None:
        """A clock of its own for this request."""
        return RequestFault(lag_ns=-int(self["offset_s"] * NS))


class Paging(Act):
    """A page after the first is not what it should be. Remembers the page before."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._before: dict[tuple[str, str], list[Any]] = {}

    def fits(self, asked: Asked) -> bool:
        """Further pages; a first page is only seen."""
        if asked.op not in PAGED or not super().fits(asked):
            return False
        if self._is_next(asked):
            return True
        # A first page is no victim, but it must be seen.
        self.faults.watch(lambda data: self._remember(asked, data))
        return False

    def _is_next(self, asked: Asked) -> bool:
        fields = asked.fields
        if fields.get("cursor") or fields.get("fromId"):
            return True
        by_place = fields.get("startTime") or fields.get("orderId")
        is_known = (asked.op, asked.account) in self._before
        return self.exchange == "binance" and bool(by_place) and is_known

    def request(self, asked: Asked) -> RequestFault | None:
        """Change the rows of the answer."""
        return RequestFault(mangle=lambda data: self._mangle(asked, data))

    def _remember(self, asked: Asked, data: bytes) -> None:
        rows = _rows(msgspec.json.decode(data))
        self._before[asked.op, asked.account] = list(rows or ())

    def _mangle(self, asked: Asked, data: bytes) -> bytes:
        body = msgspec.json.decode(data)
        rows = _rows(body)
        if rows is None:
            return data
        key = (asked.op, asked.account)
        true = list(rows)
        rows[:] = self.page(true, self._before.get(key, []))
        self._before[key] = true
        return msgspec.json.encode(body)

    def page(self, rows: list[Any], before: list[Any]) -> list[Any]:
        """What the page shows instead."""
        return rows


class PageRepeats(Paging):
    """The page before comes again."""

    def page(self, rows: list[Any], before: list[Any]) -> list[Any]:
        return before or rows


class PageSkips(Paging):
    """The first rows of the page are missing."""

    def page(self, rows: list[Any], before: list[Any]) -> list[Any]:
        return rows[self["rows"] :]


def _rows(body: Any) -> list[Any] | None:
    if isinstance(body, dict):
        body = body.get("result")
        body = body.get("list") if isinstance(body, dict) else body
    return body if isinstance(body, list) else None


class PositionQueryFails(Act):
    """Nobody can say what the positions are."""

    def request(self, asked: Asked) -> RequestFault | None:
        """Fail in the form that was set."""
        match self["form"]:
            case "timeout":
                return RequestFault(is_processed=False, ending="hang", hold_s=30.0)
            case "http":
                return RequestFault(is_processed=False, trouble=http_trouble(502))
            case "garbage":
                return RequestFault(mangle=lambda data: data[: len(data) // 2])
        return RequestFault(is_processed=False, trouble=trouble_of(self.exchange, "busy"))
