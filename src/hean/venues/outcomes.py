# SPDX-License-Identifier: Apache-2.0
"""`outcomes.py`: what a venue's answer to a request means. Three things are possible: yes, no, and
nobody knows. *No* is said only for answers that the venue documents as "did not reach the engine";
they are listed here by number, to be reviewed like code. Whatever is not listed, above all a
timeout, a 5xx and a success without an order id, is unknown: the order may exist, counts in full
and is looked for. Nothing here repeats a request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from hean.core.one_line import one_line
from hean.errors import (
    ClockRefused,
    DuplicateOrder,
    FilterRefused,
    HeanError,
    InsufficientMargin,
    KeyRefused,
    NoLiquidity,
    NotFillable,
    OrderNotOpen,
    OrderSizeInvalid,
    PriceNotOnTick,
    RateLimited,
    ReduceOnlyViolated,
    UnknownSymbol,
    VenueError,
    VenueRefused,
    WouldTrade,
    WouldTrigger,
)

BYBIT_BAN_S = 600.0  # documented: at least ten minutes after an HTTP 403
BINANCE_BAN_S = 120.0  # documented: the shortest ban
FIREWALL_S = 600.0  # Binance does not say how long its firewall refuses
MINUTE_S = 60.0  # Binance counts weight by the minute
ORDER_COUNT_S = 10.0  # Binance counts orders in tens of seconds
SHORT_S = 1.0  # Bybit counts by the second
RESET_MAX_S = 10.0  # whatever it says, or our clock makes of it, a limit is free again by then
MESSAGE_MAX = 200  # characters of a venue's text that are passed on

Errors = Mapping[int, type[HeanError]]


class Outcome(Enum):
    """Whether the venue did what was asked."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means. *error*: the reason of a no; of an unknown, what is known about it."""

    outcome: Outcome
    error: type[HeanError] = VenueError
    code: int | None = None
    text: str = ""

    def sentence(self) -> str:
        """The venue's words with its number."""
        said = self.text or "no text"
        return f"{said} (venue code {self.code})" if self.code is not None else said


@dataclass(frozen=True, slots=True)
class Silence:
    """How long to send nothing. *is_ban*: not even cancels."""

    seconds: float
    is_ban: bool


def bybit_verdict(code: int | None, text: str, *, http_status: int = 200) -> Verdict:
    """The meaning of a Bybit answer. *code*: its `retCode`, `None` if the body was not understood;
    whether a success names its order is for the caller to check."""
    if code == 0 and http_status == 200:
        return Verdict(Outcome.YES, code=0)
    error = None
    if code is not None:
        error = _BYBIT_NO.get(code)
    elif http_status in _BYBIT_NO_STATUS:
        error = _BYBIT_NO_STATUS[http_status]
    return _no_or_unknown(error, code, text)


def binance_verdict(code: int | None, text: str, *, http_status: int) -> Verdict:
    """The meaning of a Binance answer. *code*: that of its error, `None` without one."""
    if http_status == 200 and code is None:
        return Verdict(Outcome.YES)
    if http_status == 503 and text.startswith(_BINANCE_NOT_ACCEPTED):
        return _no_or_unknown(VenueRefused, code, text)
    error = None
    if code is not None:
        by_text = _BINANCE_NO_TEXT.get(code, ())
        found = [each for beginning, each in by_text if text.startswith(beginning)]
        error = found[0] if found else _BINANCE_NO.get(code)
    elif http_status in _BINANCE_NO_STATUS:
        error = _BINANCE_NO_STATUS[http_status]
    return _no_or_unknown(error, code, text)


def bybit_silence(
    http_status: int, code: int | None, headers: Mapping[str, str], now_ms: int
) -> Silence | None:
    """The silence a Bybit answer asks for. *headers*: with lower-case names."""
    if http_status == 403:
        return Silence(BYBIT_BAN_S, is_ban=True)
    if http_status != 429 and code not in _BYBIT_TOO_MANY:
        return None
    reset_ms = _whole(headers.get("x-bapi-limit-reset-timestamp"))
    seconds = min(max(SHORT_S, (reset_ms - now_ms) / 1_000), RESET_MAX_S)
    return Silence(seconds, is_ban=False)


def binance_silence(
    http_status: int, code: int | None, headers: Mapping[str, str]
) -> Silence | None:
    """The silence a Binance answer asks for. Weight is counted for every kind of request, so going
    on with cancels would turn a refusal into a ban; orders are counted apart from them.
    """
    told_s = float(_whole(headers.get("retry-after")))
    if http_status == 403:
        return Silence(told_s or FIREWALL_S, is_ban=True)
    if http_status == 418:
        return Silence(told_s or BINANCE_BAN_S, is_ban=True)
    if code == -1015:
        return Silence(told_s or ORDER_COUNT_S, is_ban=False)
    if http_status == 429 or code == -1003:
        return Silence(told_s or MINUTE_S, is_ban=True)
    return None


def _no_or_unknown(error: type[HeanError] | None, code: int | None, text: str) -> Verdict:
    text = one_line(text, MESSAGE_MAX)
    if error is None:
        return Verdict(Outcome.UNKNOWN, code=code, text=text)
    # An id that was used before belongs to an order of ours: it exists, and is looked for.
    outcome = Outcome.UNKNOWN if error is DuplicateOrder else Outcome.NO
    return Verdict(outcome, error, code, text)


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0


def _table(rows: Mapping[type[HeanError], tuple[int, ...]]) -> Errors:
    return {code: error for error, codes in rows.items() for code in codes}


_BYBIT_TOO_MANY = {10006, 10018, 10403, 10429, 20003}
_BYBIT_NO_STATUS = {
    400: VenueRefused,
    401: KeyRefused,
    403: RateLimited,
    404: VenueRefused,
    429: RateLimited,
}
_BYBIT_NO = _table(
    {
        KeyRefused: (10003, 10004, 10005, 10007, 10008, 10009, 10010, 10024, 10027, 10028, 33004),
        ClockRefused: (10002,),
        RateLimited: tuple(sorted(_BYBIT_TOO_MANY)),
        VenueRefused: (
            *(10001, 10017, 10404, 20001, 20006),
            *(110003, 110009, 110013, 110020, 110021, 110022, 110024, 110025, 110026, 110028),
            *(110043, 110061, 110063, 110064, 110066, 110074, 110078, 110079),
            *(170005, 170105, 170115, 170116, 170117, 170130, 170810, 34040),
            *(170192, 170193, 170194, 170371, 170372, 170132, 170133, 170151, 170157),
        ),
        FilterRefused: (170134, 170136, 170137, 170124, 170341, 170381, 170382, 170140, 110094),
        UnknownSymbol: (170121,),
        InsufficientMargin: (
            *(110004, 110006, 110007, 110012, 110040, 110044, 110045, 110052, 110086, 110090),
            *(170131, 170033),
        ),
        ReduceOnlyViolated: (110017,),
        WouldTrigger: (110092, 110093, 170203, 170204),
        OrderNotOpen: (110001, 110008, 110010, 170213, 170143, 170139, 170142, 170190),
        DuplicateOrder: (110072, 170141),
    }
)

_BINANCE_NOT_ACCEPTED = ("Service Unavailable", "Internal error; unable to process your request")
_BINANCE_NO_STATUS = {
    400: VenueRefused,
    401: KeyRefused,
    403: RateLimited,
    404: VenueRefused,
    418: RateLimited,
    429: RateLimited,
}
_BINANCE_NO = _table(
    {
        KeyRefused: (-1002, -1022, -2014, -2015),
        ClockRefused: (-1021,),
        RateLimited: (-1003, -1008, -1015),
        VenueRefused: (
            *(-1014, -1020, -1099, *range(-1109, -1099), -1114, -1115, -1116, -1117, -1118),
            *(-1119, -1120, -1125, -1127, -1128, -1130, -1131, -1134, -1145, -1151),
            *(-2010, -2016, -2025, -2035, -2038, -2039, -4015, -4028, -4029, -4046, -4047, -4048),
            *(-4059, -4061, -4067, -4068, -4120, -5027, -4016, -4024, -4131),
        ),
        FilterRefused: (-1013, -1111, -4002, -4013, -4023, -4164),
        OrderSizeInvalid: (-4001, -4003, -4004, -4005),
        PriceNotOnTick: (-4014,),
        UnknownSymbol: (-1121,),
        InsufficientMargin: (-2018, -2019, -2027, -2028),
        ReduceOnlyViolated: (-2022,),
        WouldTrigger: (-2021,),
        WouldTrade: (-5022,),
        NotFillable: (-2020, -5021),
        NoLiquidity: (-1112,),
        OrderNotOpen: (-2011, -2013, -2026),
        DuplicateOrder: (-4116,),
    }
)
# One code serves many reasons: there the beginning of the text decides.
_BINANCE_NO_TEXT: dict[int, tuple[tuple[str, type[HeanError]], ...]] = {
    -1013: (("Market is closed", VenueRefused),),
    -2010: (
        ("Duplicate order sent", DuplicateOrder),
        ("Order would immediately match", WouldTrade),
        ("Account has insufficient balance", InsufficientMargin),
        ("Stop price would trigger", WouldTrigger),
        ("Order would trigger", WouldTrigger),
    ),
}
