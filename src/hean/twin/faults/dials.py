# SPDX-License-Identifier: Apache-2.0
"""`dials.py`: every fault that can be set, one row each: name, number in the fault table of the
reliability paper, what does it, what that is in one sentence, its parameters. The table in
`docs/twin.md` is made of this one (`markdown`), and a test compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hean.twin.faults import exchange, orders, requests, streams
from hean.twin.faults.act import Act
from hean.twin.faults.poison import FORMS
from hean.twin.faults.settings import REQUIRED, Dial, Param

NEW = {"op": "create"}
PRIVATE = {"which": "private"}
PUBLIC = {"which": "public"}
BOOK = {"topic": "book"}
ONCE = {"count": 1}
ACCEPTED = Param("accepted", "flag", True, sentence="whether the exchange got it")
AMOUNT = Param("amount", "decimal", REQUIRED, sentence="negative takes away")
ANNOUNCED = Param("announced_s", "number", 0.0, sentence="how long before it is announced")
AWAY = Param("away_s", "number", 5.0, sentence="how long nobody comes in again")
CLIENT_ID = Param("client_id", "text")
CODE = Param("code", "count", 1001, 1000, 4999, sentence="with close")
COIN = Param("coin", "text", "USDT")
CUT_AT = Param("answer_bytes", "count", None, 0, 1_000_000, sentence="of the body that still leave")
DELAY = Param("delay_s", "number", 0.3)
EVERY = Param("every", "count", 2, 1, 20, sentence="which legs fail")
FORM = Param("form", "choice", REQUIRED, choices=FORMS)
FRACTION = Param("fraction", "number", 0.5, high=1.0, sentence="of what is left")
HOLD = Param("hold_s", "number", 30.0, sentence="how long the line stays open")
HOW = Param("how", "choice", "abort", choices=("abort", "close"))
LASTS = Param("lasts_s", "number", 10.0)
LATE = Param("delay_s", "number", 8.0, sentence="how late it arrives")
LEFT = Param("left", "decimal", Decimal(0), sentence="what is left of it")
LEVERAGE = Param("leverage_max", "count", None, 1, 200)
LIFE = Param("life_s", "number", 86_400.0)
OFFSET = Param("offset_s", "number", REQUIRED, -86_400.0, 86_400.0)
PER_S = Param("per_s", "number", 100.0, 0.1, 100_000.0)
PONGS = Param("pongs", "flag", True, sentence="whether pings are answered")
QTY = Param("qty", "decimal", sentence="else the least there may be")
PRICE = Param("price", "decimal", sentence="else 3 % from the market")
REFUSES = Param("refuses_s", "number", 0.0, sentence="how long nobody comes in again")
SIDE = Param("side", "choice", "BUY", choices=("BUY", "SELL"))
STATUS = Param("status", "count", 503, 400, 599)
TYPE = Param("type", "choice", "limit", choices=("limit", "market"))
RULES = tuple(
    Param(name, "decimal", high=1e12) for name in ("tick", "lot", "quantity_min", "notional_min")
)


def _choice(name: str, default: Any, *choices: str) -> Param:
    return Param(name, "choice", default, choices=choices)


def _dial(
    name: str,
    row: int,
    act: type[Act],
    sentence: str,
    *params: Param,
    match: Mapping[str, str] | None = None,
    timing: Mapping[str, float] | None = None,
) -> Dial:
    where = {requests: "request", orders: "order", streams: "stream", exchange: "exchange"}
    place = next(word for module, word in where.items() if module.__name__ == act.__module__)
    return Dial(name, row, place, sentence, act, params, match or {}, timing or {})


CODES = _choice("code", "venue", "venue", "http", "10000", "10016", "170007", "-1006", "-1007")
BODIES = _choice(
    "form", "html", "html", "truncated", "encoding", "empty", "empty_list", "missing_id"
)
REQUESTS = (
    _dial(
        "timeout_accepted", 29, requests.TimeoutAccepted, "Done; no answer comes.", HOLD, match=NEW
    ),
    _dial("timeout_lost", 30, requests.TimeoutLost, "Not done; no answer comes.", HOLD, match=NEW),
    _dial(
        "timeout_late",
        31,
        requests.TimeoutLate,
        "Done late, held by the network or at the engine (checked in time); no answer comes.",
        *(LATE, _choice("held", "network", "network", "engine"), HOLD),
        match=NEW,
    ),
    _dial(
        "reset_after_request",
        32,
        requests.ResetAfterRequest,
        "The connection is reset after the request was read, or within its answer.",
        *(ACCEPTED, CUT_AT),
        match=NEW,
    ),
    _dial(
        "server_error",
        33,
        requests.ServerError,
        "A 5xx, or the venue's code for an outcome that nobody knows.",
        *(ACCEPTED, CODES, Param("status", "count", 502, 500, 599, sentence="of http")),
        match=NEW,
    ),
    _dial(
        "overloaded", 34, requests.Overloaded, "Too busy, documented as not accepted.", match=NEW
    ),
    _dial(
        "garbage_body",
        35,
        requests.GarbageBody,
        "Status 200 and a body that is no answer, or lacks the ids.",
        *(ACCEPTED, BODIES),
        match=NEW,
    ),
    _dial(
        "rate_limited",
        36,
        requests.RateLimited,
        "Too many requests, with or without word when to come again.",
        Param("retry_after_s", "number", 2.0),
        Param("tells_when", "flag", True),
        Param("spares_cancels", "flag", False),
    ),
    _dial(
        "ip_banned",
        37,
        requests.IpBanned,
        "Every request and new connection is answered with the ban.",
        timing={"for_s": 120.0},
    ),
    _dial("clock_skew", 38, requests.ClockSkew, "The venue's clock is off for everybody.", OFFSET),
    _dial(
        "clock_jump", 38, requests.ClockJump, "Some requests meet a clock that has jumped.", OFFSET
    ),
    _dial(
        "duplicate_id",
        39,
        orders.DuplicateId,
        "The client id is said to be used: by this very order, somebody else's, or none.",
        _choice("existing", "ours", "ours", "foreign", "none"),
        match=NEW,
    ),
    _dial(
        "key_refused",
        40,
        requests.KeyRefused,
        "The key is revoked, lost its permission or address, or has expired.",
        _choice("reason", "revoked", "revoked", "permission", "ip", "expired"),
    ),
    _dial(
        "batch_partial",
        42,
        orders.BatchPartial,
        "Every so many legs of a batch fail.",
        EVERY,
        match={"op": "create_batch"},
    ),
    _dial(
        "batch_shuffled",
        42,
        orders.BatchShuffled,
        "A batch's results come in another order than its legs; some may be missing.",
        Param("drops", "count", 0, 0, 20, sentence="results that are missing"),
        match={"op": "create_batch"},
    ),
    _dial(
        "cancel_race",
        43,
        orders.CancelRace,
        "The order is filled, or cancelled by the venue, just before its cancel arrives.",
        _choice("by", "fill", "fill", "cancel"),
        match={"op": "cancel"},
    ),
    _dial(
        "amend_race",
        44,
        orders.AmendRace,
        "A part of the order fills just before its amend arrives.",
        FRACTION,
        match={"op": "amend"},
    ),
    _dial(
        "cancel_fails",
        44,
        orders.CancelFails,
        "The cancel, also that of a replace, is refused as unknown; the order lives.",
        match={"op": "cancel"},
    ),
    _dial(
        "cancel_all_survivor",
        45,
        orders.CancelAllSurvivor,
        "A cancel-all says it ended every order; some live.",
        Param("survivors", "count", 1, 1, 1_000),
        match={"op": "cancel_all"},
    ),
    _dial("stop_refused", 52, requests.StopRefused, "A stop is refused."),
    _dial("stop_lost", 52, orders.StopLost, "A stop is acknowledged and then does not exist."),
    _dial("page_repeats", 53, requests.PageRepeats, "A further page shows the page before again."),
    _dial(
        "page_skips",
        53,
        requests.PageSkips,
        "A further page lacks its first rows.",
        Param("rows", "count", 1, 1, 1_000),
    ),
    _dial(
        "position_query_fails",
        54,
        requests.PositionQueryFails,
        "Nobody can say what the positions are.",
        _choice("form", "venue", "venue", "http", "timeout", "garbage"),
        match={"op": "positions"},
    ),
    _dial(
        "fill_before_ack",
        60,
        orders.FillBeforeAck,
        "The stream tells a fill before the answer tells that there is an order.",
        *(FRACTION, DELAY),
        match=NEW,
    ),
    _dial("ack_lost", 60, requests.TimeoutAccepted, "The answer is lost.", HOLD, match=NEW),
    _dial(
        "subscription_refused", 64, streams.SubscriptionRefused, "A subscription is refused whole."
    ),
    _dial(
        "subscription_partial",
        64,
        streams.SubscriptionPartial,
        "A subscription is acknowledged; every second topic never delivers.",
    ),
    _dial(
        "subscription_silent",
        64,
        streams.Subscribing,
        "A subscription is acknowledged; its topics never deliver.",
    ),
)
STREAMS = (
    _dial(
        "public_cut",
        55,
        streams.Cut,
        "Public lines die; none comes back for a while.",
        *(HOW, CODE, REFUSES),
        match=PUBLIC,
    ),
    _dial(
        "private_cut",
        56,
        streams.Cut,
        "Private lines die; none comes back for a while, and what happens meanwhile is not told.",
        *(HOW, CODE, REFUSES),
        match=PRIVATE,
    ),
    _dial("stall", 57, streams.Stall, "Lines stand and nothing comes.", PONGS),
    _dial("book_gap", 58, streams.FrameLost, "A book frame is lost.", match=BOOK),
    _dial("book_reorder", 58, streams.FrameReorder, "A book frame overtakes another.", match=BOOK),
    _dial(
        "book_snapshot",
        58,
        streams.BookReset,
        "Books send a snapshot in mid-stream (Bybit), or their ids jump (Binance).",
        timing=ONCE,
    ),
    _dial(
        "book_restart",
        58,
        streams.BookRestart,
        "Books begin again with update id 1 (Bybit), or their ids jump (Binance).",
        timing=ONCE,
    ),
    _dial(
        "frame_duplicate",
        59,
        streams.FrameDuplicate,
        "A frame comes again.",
        Param("times", "count", 2, 2, 1_000),
    ),
    _dial(
        "frame_replay",
        59,
        streams.FrameReplay,
        "A new private line is told the last frames of the one before.",
        *(Param("last", "count", 10, 1, 1_000), DELAY),
        match=PRIVATE,
    ),
    _dial("frame_lost", 60, streams.FrameLost, "A frame is lost.", match=PRIVATE),
    _dial(
        "status_reversed",
        61,
        streams.StatusReversed,
        "Order frames are held for a moment and come in reverse.",
        Param("hold_s", "number", 0.3, high=60.0),
        match={"topic": "order"},
    ),
    _dial(
        "poison",
        62,
        streams.Poison,
        "A frame is spoiled, or a spoiled copy is added to it.",
        *(FORM, Param("adds", "flag", False)),
    ),
    _dial(
        "outlier_price",
        63,
        streams.OutlierPrice,
        "The prices of a frame are absurd.",
        Param("factor", "number", 100.0, -1e6, 1e6),
        Param("price", "decimal", sentence="instead of a factor"),
        match=PUBLIC,
    ),
    _dial("connection_refused", 65, streams.ConnectionRefused, "No WebSocket is let in.", STATUS),
    _dial(
        "connection_limit",
        65,
        streams.ConnectionLimit,
        "Only so many new WebSockets in so much time.",
        Param("limit", "count", 300, 0, 100_000),
        *(Param("window_s", "number", 300.0), STATUS),
    ),
    _dial("daily_cut", 65, streams.LifeCut, "Sessions end at a certain age.", *(LIFE, HOW, CODE)),
    _dial(
        "frame_storm",
        66,
        streams.FrameDuplicate,
        "Every frame comes many times.",
        Param("times", "count", 20, 2, 1_000),
    ),
)
EXCHANGE = (
    _dial(
        "amnesia",
        41,
        exchange.Amnesia,
        "Open orders cannot be found, cancelled or amended; they live, and come back.",
        timing={"for_s": 1_800.0},
    ),
    _dial(
        "maintenance",
        46,
        exchange.Maintenance,
        "Closed for a while, announced or not; recently closed orders may be forgotten.",
        *(ANNOUNCED, LASTS, Param("clears_recent", "flag", True)),
    ),
    _dial(
        "filter_change",
        47,
        exchange.FilterChange,
        "The rules of a symbol change.",
        *(*RULES, LEVERAGE, _choice("status", None, "trading", "halted")),
    ),
    _dial("balance_short", 48, exchange.BalanceShort, "Money is gone.", COIN, LEFT),
    _dial(
        "mode_by_hand",
        48,
        exchange.ModeByHand,
        "Position or margin mode is changed by hand.",
        _choice("mode", REQUIRED, "hedge", "one_way", "isolated", "cross"),
        timing=ONCE,
    ),
    _dial(
        "order_by_hand",
        49,
        exchange.OrderByHand,
        "Somebody places an order by hand.",
        *(SIDE, TYPE, QTY, PRICE, CLIENT_ID),
        timing=ONCE,
    ),
    _dial(
        "transfer_by_hand",
        49,
        exchange.TransferByHand,
        "Somebody moves coins by hand.",
        *(COIN, AMOUNT),
        timing=ONCE,
    ),
    _dial("liquidation", 50, exchange.Forced, "A position is liquidated.", timing=ONCE),
    _dial("adl", 50, exchange.Deleveraged, "A position is auto-deleveraged.", timing=ONCE),
    _dial("reduce_only", 50, exchange.ReduceOnly, "Only orders that reduce are taken."),
    _dial("trading_ban", 50, exchange.TradingBan, "An account may not trade."),
    _dial(
        "stop_while_away",
        51,
        exchange.StopWhileAway,
        "Private lines die, and while nobody listens the price passes a stop.",
        AWAY,
        match=PRIVATE,
    ),
    _dial("trade_storm", 66, exchange.TradeStorm, "The market trades so often a second.", PER_S),
    _dial(
        "fill_storm",
        66,
        exchange.FillStorm,
        "Resting orders are filled in the smallest pieces, so often a second.",
        PER_S,
    ),
    _dial(
        "foreign_order",
        67,
        exchange.ForeignOrder,
        "An order appears with an id such as ours that we never made.",
        *(Param("prefix", "text", "h"), SIDE, TYPE, QTY, PRICE),
        timing=ONCE,
    ),
)
DIALS: dict[str, Dial] = {
    dial.name: dial for dial in sorted((*REQUESTS, *STREAMS, *EXCHANGE), key=lambda each: each.row)
}


def markdown() -> str:
    """The table of the documentation."""
    lines = ["| Dial | Row | Acts on | What happens | Parameters |", "|---|---|---|---|---|"]
    for dial in DIALS.values():
        params = ", ".join(_told(param) for param in dial.params)
        given = {**dial.match, **dial.timing}
        usual = ", ".join(f"{key} `{_shown(value)}`" for key, value in given.items())
        sentence = dial.sentence + (f" Usually: {usual}." if usual else "")
        lines.append(f"| `{dial.name}` | {dial.row} | {dial.where} | {sentence} | {params} |")
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _told(param: Param) -> str:
    words = f"`{param.name}`"
    if param.kind == "choice":
        words += " (" + " ".join(param.choices) + ")"
    if param.default is REQUIRED:
        words += " required"
    elif param.default is not None:
        words += f" = {_shown(param.default)}"
    return words + (f": {param.sentence}" if param.sentence else "")
