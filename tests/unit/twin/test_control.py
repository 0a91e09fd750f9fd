# SPDX-License-Identifier: Apache-2.0
"""The control port of a running twin: what it shows is what is there, every refusal says what to
write instead, and what a hand does is done at the exchange.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from hean.twin.faults.hand_actions import ACTIONS
from venue_contract.twin_process import Control, ControlError, TwinProcess, wait_until

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    with TwinProcess("bybit", tmp_path_factory.mktemp("twin")) as twin:
        yield twin


@pytest.fixture
def control(twin: TwinProcess) -> Iterator[Control]:
    """A calm twin with flat accounts."""
    yield twin.control
    twin.control.post("calm")
    for account in ("main", "second"):
        twin.control.manual("unban", account=account)
        twin.control.manual("cancel_all", account=account)
        for market in ("linear", "spot"):
            twin.control.manual("close", account=account, symbol="BTCUSDT", market=market)


def middle(control: Control, market: str = "linear") -> Decimal:
    """Middle of the book."""
    row = control.market("BTCUSDT", market)
    return (Decimal(row["bid"]) + Decimal(row["ask"])) / 2


def place(control: Control, side: str = "BUY", qty: str = "0.01", **more: Any) -> dict[str, Any]:
    return control.manual("place", symbol="BTCUSDT", side=side, qty=qty, **more)


def far(control: Control, factor: str = "0.97") -> str:
    """A price that rests."""
    return f"{middle(control) * Decimal(factor) // 1}"


def test_state_shows_markets_accounts_and_counters(control: Control) -> None:
    state = control.get("state")
    assert state["exchange"] == "bybit"
    assert {(m["market"], m["symbol"]) for m in state["markets"]} >= {("linear", "BTCUSDT")}
    assert all(Decimal(m["bid"]) < Decimal(m["ask"]) for m in state["markets"])
    assert [account["name"] for account in state["accounts"]] == ["main", "second"]
    assert state["faults"] == []
    assert set(state["counters"]) >= {"orders", "fills", "sessions", "ledger_seq", "faults"}


def test_state_has_no_secret(twin: TwinProcess, control: Control) -> None:
    text = json.dumps(control.get("state"))
    assert not any(a.secret in text for a in (twin.main, twin.second, twin.readonly))


def test_ledger_is_read_in_parts(twin: TwinProcess, control: Control) -> None:
    since = control.seq()
    for name in ("a1", "a2", "a3"):
        place(control, price=far(control), client_id=f"ledger-{name}")
    records = control.ledger(since)
    assert [r["client_order_id"] for r in records] == ["ledger-a1", "ledger-a2", "ledger-a3"]
    assert [r["seq"] for r in control.ledger(since + 1, limit=1)] == [since + 2]
    lines = twin.ledger_file.read_text().splitlines()
    assert [json.loads(line)["seq"] for line in lines[-3:]] == [since + 1, since + 2, since + 3]


def test_dial_is_set_shown_and_turned_back(control: Control) -> None:
    number = control.fault("stall", match={"which": "public"}, for_s=60)
    (shown,) = control.get("state")["faults"]
    assert (shown["id"], shown["dial"], shown["row"]) == (number, "stall", 57)
    assert control.post("calm", dial="stall") == {"calmed": 1}
    assert control.get("state")["faults"] == []


REFUSED = [
    ("fault", {}, "fault.dial", "nothing", None),
    ("fault", {"dial": "timeout_lots"}, "fault.dial", "'timeout_lots'", "timeout_lost"),
    ("fault", {"dial": "stall", "pong": 1}, "fault.pong", "'pong'", "pongs"),
    ("fault", {"dial": "stall", "count": -1}, "fault.count", "-1", "1"),
    ("fault", {"dial": "stall", "match": {"sid": "x"}}, "fault.match.sid", "'sid'", "side"),
    ("calm", {"dial": "stal"}, "calm.dial", "'stal'", "stall"),
    ("calm", {"name": "stall"}, "calm.name", "'name'", None),
    ("price", {"price": 1}, "price.symbol", "nothing", None),
    ("price", {"symbol": "BTCUSDT"}, "price", "neither", None),
    ("price", {"symbol": "BTCUSDT", "price": 1, "move_fraction": 1}, "price", "both", None),
    ("price", {"symbol": "BTCUSDT", "move": 1}, "price.move", "'move'", None),
    ("cut", {"which": "publik"}, "cut.which", "'publik'", "public"),
    ("cut", {"how": "softly"}, "cut.how", "'softly'", None),
    ("manual", {}, "manual.action", "nothing", None),
    ("manual", {"action": "plac"}, "manual.action", "'plac'", "place"),
    ("manual", {"action": "ban", "acount": "x"}, "manual.acount", "'acount'", "account"),
]


@pytest.mark.parametrize(("path", "body", "where", "got", "nearest"), REFUSED)
def test_refusal_says_where_what_came_and_what_is_nearest(
    control: Control, path: str, body: dict[str, Any], where: str, got: str, nearest: str | None
) -> None:
    with pytest.raises(ControlError) as refused:
        control.post(path, **body)
    assert refused.value.status == 400
    error = next(e for e in refused.value.document["problems"] if e["where"] == where)
    assert error["got"] == got
    assert error["expected"]
    assert error["nearest"] == nearest
    assert control.get("state")["faults"] == []


def raw(control: Control, method: str, path: str, data: bytes, **headers: str) -> tuple[int, Any]:
    line = http.client.HTTPConnection("127.0.0.1", control.port, timeout=60)
    try:
        line.request(method, path, data, headers)
        answer = line.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        line.close()


@pytest.mark.parametrize(
    "data",
    [b"{", b"[]", b"3", b"\xff", b"[" * 100_000, b'"x"'],
    ids=["cut", "a", "n", "u", "d", "s"],
)
def test_body_that_is_no_object_is_refused(control: Control, data: bytes) -> None:
    status, document = raw(control, "POST", "/fault", data)
    assert (status, document["error"]["where"]) == (400, "body")


def test_oversized_body_is_refused(control: Control) -> None:
    status, document = raw(control, "POST", "/fault", b" " * ((1 << 20) + 1))
    assert status == 413
    assert document["error"]["what"]


def test_browsers_are_refused(control: Control) -> None:
    status, _ = raw(control, "POST", "/calm", b"{}", Origin="http://example.com")
    assert status == 403


def test_unknown_path_names_the_nearest(control: Control) -> None:
    status, document = raw(control, "POST", "/faults", b"{}")
    assert (status, document["error"]["nearest"]) == (404, "/fault")
    status, _ = raw(control, "GET", "/calm", b"")
    assert status == 405
    status, document = raw(control, "GET", "/ledger?sinc=1", b"")
    assert (status, document["error"]["nearest"]) == (400, "since")
    status, _ = raw(control, "GET", "/ledger?since=-1", b"")
    assert status == 400


# ---------------------------------------------------------------- price


def test_market_moves_to_a_price_at_once_and_stays(control: Control) -> None:
    wanted = middle(control) * Decimal("1.02") // 1
    control.post("price", symbol="BTCUSDT", price=str(wanted))
    assert abs(middle(control) / wanted - 1) < Decimal("0.001")
    assert abs(middle(control, "spot") / wanted - 1) < Decimal("0.001")
    row = control.market("BTCUSDT")
    assert abs(Decimal(row["mark"]) / wanted - 1) < Decimal("0.001")
    before = control.market("BTCUSDT")["update_id"], row["last"]
    wait_until(lambda: control.market("BTCUSDT")["last"] != before[1], "the market goes on")
    assert abs(middle(control) / wanted - 1) < Decimal("0.01")


def test_market_moves_by_a_fraction_alone(control: Control) -> None:
    spot, linear = middle(control, "spot"), middle(control)
    control.post("price", symbol="BTCUSDT", market="linear", move_fraction="-0.03")
    assert abs(middle(control) / linear - Decimal("0.97")) < Decimal("0.002")
    assert abs(middle(control, "spot") / spot - 1) < Decimal("0.01")
    control.post("price", symbol="BTCUSDT", market="linear", price=str(linear))


def test_moved_market_fills_what_it_passes(control: Control) -> None:
    before = middle(control)
    order = place(control, price=far(control, "0.98"))
    assert order["status"] == "NEW"
    control.post("price", symbol="BTCUSDT", move_fraction="-0.04")
    (position,) = control.account()["positions"]
    assert position["size"] == "0.010"
    control.post("price", symbol="BTCUSDT", price=str(before))


def test_absurd_move_is_refused(control: Control) -> None:
    for price in ("1", "999999999"):
        with pytest.raises(ControlError, match="allowed") as refused:
            control.post("price", symbol="BTCUSDT", price=price)
        assert refused.value.status == 409
    with pytest.raises(ControlError, match="not listed"):
        control.post("price", symbol="NOPE", price="1")


def test_liquidation_can_be_provoked_by_a_price(control: Control) -> None:
    before, since = middle(control), control.seq()
    control.manual("leverage", symbol="BTCUSDT", leverage="100")
    control.manual("transfer", amount="-95000")
    place(control, qty="5", account="main")
    control.post("price", symbol="BTCUSDT", move_fraction="-0.04")
    wait_until(
        lambda: [r for r in control.ledger(since) if r["kind"] == "liquidation"], "liquidation"
    )
    control.post("price", symbol="BTCUSDT", price=str(before))
    control.manual("transfer", amount="95000")
    control.manual("leverage", symbol="BTCUSDT", leverage="10")


# ---------------------------------------------------------------- by hand


def test_hand_places_cancels_fills_and_closes(control: Control) -> None:
    order = place(control, price=far(control), client_id="hand-1")
    (shown,) = control.account()["open_orders"]
    assert (shown["order_id"], shown["client_order_id"]) == (order["order_id"], "hand-1")
    assert control.manual("fill", client_id="hand-1", qty="0.004")["status"] == "PARTIALLY_FILLED"
    assert control.manual("cancel", order_id=order["order_id"])["status"] == "CANCELLED"
    (position,) = control.account()["positions"]
    assert position["size"] == "0.004"
    control.manual("close", symbol="BTCUSDT")
    assert control.account()["positions"] == []


def test_exchange_refuses_a_hand_as_it_refuses_a_client(control: Control) -> None:
    with pytest.raises(ControlError, match="price_off_tick") as refused:
        place(control, price="50000.05")
    assert refused.value.status == 409
    with pytest.raises(ControlError, match="order_not_found"):
        control.manual("cancel", order_id="nope")
    with pytest.raises(ControlError, match="there are main, second"):
        control.manual("ban", account="third")


def test_accounts_are_apart(control: Control) -> None:
    place(control, account="second")
    assert control.account("main")["positions"] == []
    assert len(control.account("second")["positions"]) == 1


def test_hand_moves_money_modes_and_leverage(control: Control) -> None:
    before = Decimal(control.account()["wallets"]["unified"]["USDT"])
    control.manual("transfer", amount="12.5")
    assert Decimal(control.account()["wallets"]["unified"]["USDT"]) - before == Decimal("12.5")
    control.manual("leverage", symbol="BTCUSDT", leverage="25")
    with pytest.raises(ControlError, match="leverage_too_high"):
        control.manual("leverage", symbol="BTCUSDT", leverage="1000")
    control.manual("position_mode", symbol="BTCUSDT", mode="hedge")
    place(control, position_side="LONG")
    with pytest.raises(ControlError, match="has_position"):
        control.manual("position_mode", symbol="BTCUSDT", mode="one_way")
    control.manual("close", symbol="BTCUSDT")
    control.manual("position_mode", symbol="BTCUSDT", mode="one_way")
    control.manual("margin_mode", symbol="BTCUSDT", mode="isolated")
    control.manual("margin_mode", symbol="BTCUSDT", mode="cross")


def test_ban_liquidation_and_adl(control: Control) -> None:
    control.manual("ban")
    with pytest.raises(ControlError, match="not_trading"):
        place(control)
    control.manual("unban")
    for action, kind in (("liquidate", "liquidation"), ("adl", "adl")):
        since = control.seq()
        place(control)
        assert control.manual(action, symbol="BTCUSDT") == {"positions": 1}
        assert kind in {record["kind"] for record in control.ledger(since)}
        assert control.account()["positions"] == []


def test_every_action_is_tested() -> None:
    tested = {"place", "cancel", "cancel_all", "fill", "close", "transfer", "leverage", "ban"}
    tested |= {"unban", "position_mode", "margin_mode", "liquidate", "adl", "key_rights"}
    assert set(ACTIONS) == tested


def opened(twin: TwinProcess, path: str) -> socket.socket:
    """A bare WebSocket, after its handshake."""
    line = socket.create_connection(("127.0.0.1", twin.port), timeout=60)
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    head += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    line.sendall(head.encode())
    assert line.recv(4096).startswith(b"HTTP/1.1 101")
    return line


def test_cut_ends_the_sessions_that_are_meant(twin: TwinProcess, control: Control) -> None:
    with (
        opened(twin, "/v5/public/linear") as first,
        opened(twin, "/v5/public/spot") as second,
        opened(twin, "/v5/private") as private,
    ):
        sessions = control.get("state")["sessions"]
        assert [s["kinds"] for s in sessions] == [["public"], ["public"], ["private"]]
        numbers = [session["session"] for session in sessions]
        assert control.post("cut", session=numbers[1]) == {"sessions": [numbers[1]]}
        assert ended(second)
        cut = control.post("cut", which="public", how="close", code=1012)
        assert cut == {"sessions": [numbers[0]]}
        assert first.recv(64)[:4] == b"\x88\x02\x03\xf4"  # a close frame with 1012
        control.post("cut")
        assert ended(private)


def ended(line: socket.socket) -> bool:
    """Whether the other side is gone."""
    try:
        return line.recv(64) == b""
    except ConnectionError:
        return True


def test_cut_without_sessions_ends_none(control: Control) -> None:
    wait_until(lambda: not control.get("state")["sessions"], "no sessions")
    assert control.post("cut", which="all") == {"sessions": []}
    with pytest.raises(ControlError) as refused:
        control.post("cut", session=99)
    assert refused.value.status == 404
