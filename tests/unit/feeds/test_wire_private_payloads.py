# SPDX-License-Identifier: Apache-2.0
"""Every documented private frame and reply, and the fact it must become.

One line a fact: an order is side, type, life, status, filled; an execution is exec id, side, cause,
price, quantity, fee; a position is leg and signed quantity; a balance is asset and total. A file of
the folders that no table names fails the last test, so none is forgotten.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hean._core import parse_binance, parse_bybit

Fact = dict[str, Any]


def order(fact: Fact) -> str:
    fields = ("side", "type", "time_in_force", "status", "filled_text")
    return " ".join(str(fact[field] or "-") for field in fields)


def execution(fact: Fact) -> str:
    fields = ("exec_id", "side", "cause", "price_text", "quantity_text", "fee_text")
    return " ".join(str(fact[field] or "-") for field in fields)


def lines(fact: Fact) -> list[str]:
    """The fact in the notation of the tables."""
    told = [order(one) for one in fact.get("orders", ()) if fact["kind"] == "order"]
    told += [execution(one) for one in fact.get("executions", ())]
    told += [f"{one['position_side']} {one['quantity_text']}" for one in fact.get("positions", ())]
    told += [f"{one['asset']} {one['total_text'] or '-'}" for one in fact.get("balances", ())]
    return told


def updates(path: Path) -> list[bytes]:
    """The frames that a file shows as sent by the venue; `|1|` stands for a request's id."""
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".jsonl":
        return [line.encode() for line in text.splitlines() if line.strip()]
    if path.suffix == ".json":
        return [text.encode()]
    blocks = re.split(
        r"^(?=[<>=])", text.replace('"|1|"', "|1|").replace("|1|", "1"), flags=re.MULTILINE
    )
    return [block[1:].strip().encode() for block in blocks if block[:1] in {"<", "="}]


def read(parse: Callable[[bytes], Fact | None], path: Path) -> list[Fact]:
    facts = [parse(frame) for frame in updates(path)]
    return [fact for fact in facts if fact is not None]


def told(facts: list[Fact]) -> tuple[str, ...]:
    answers = {"reply"}
    kept = [fact for fact in facts if fact["kind"] not in answers]
    return tuple(line for fact in kept for line in (fact["kind"], *lines(fact)))


BYBIT = {
    "bybit-net/ws/Private/Balance.txt": ("balance", "BTC 0.00102964"),
    "bybit-net/ws/Private/MinimalUserTrades.txt": (
        "execution",
        "3510f361-0add-5c7b-a2e7-9679810944fc SELL TRADE 12.015 3000 -",
    ),
    "bybit-net/ws/Private/Order.txt": ("order", "SELL MARKET IOC FILLED 1"),
    "bybit-net/ws/Private/Position.txt": ("position", "SHORT 0"),
    "bybit-net/ws/Private/UserTrades.txt": (
        "execution",
        "7e2ae69c-4edf-5800-a352-893d52b446aa SELL TRADE 0.3374 25 0.005061",
    ),
    "nautilus/ws_account_execution.json": (
        "execution",
        "0ab1bdf7-4219-438b-b30a-32ec863018f7 SELL TRADE 95900.1 0.5 26.3725275",
    ),
    "nautilus/ws_account_execution_adl.json": (
        "execution",
        "0ab1bdf7-4219-438b-b30a-32ec863018f8 SELL DELEVERAGING 95850.0 0.5 0",
    ),
    "nautilus/ws_account_execution_fast.json": (
        "execution",
        "3510f361-0add-5c7b-a2e7-9679810944fc SELL TRADE 12.015 3000 -",
    ),
    "nautilus/ws_account_execution_fast_envelope_id.json": ("execution",),
    "nautilus/ws_account_order.json": ("order", "BUY STOP_LIMIT GTC CANCELLED 0"),
    "nautilus/ws_account_order_buy_stop_market.json": ("order", "BUY STOP GTC WORKING 0"),
    "nautilus/ws_account_order_filled.json": ("order", "BUY STOP_LIMIT GTC FILLED 0.100"),
    "nautilus/ws_account_order_limit_if_touched.json": ("order", "BUY - GTC WORKING 0"),
    "nautilus/ws_account_order_market_if_touched.json": ("order", "BUY TAKE_PROFIT GTC WORKING 0"),
    "nautilus/ws_account_order_partially_filled_rejected.json": (
        "order",
        "BUY LIMIT GTC REJECTED 50.0",
    ),
    "nautilus/ws_account_order_sell_market_if_touched.json": (
        "order",
        "SELL TAKE_PROFIT GTC WORKING 0",
    ),
    "nautilus/ws_account_order_stop_limit.json": ("order", "SELL STOP_LIMIT GTC WORKING 0"),
    "nautilus/ws_account_order_stop_loss.json": ("order", "SELL STOP GTC WORKING 0"),
    "nautilus/ws_account_order_stop_market.json": ("order", "SELL STOP GTC WORKING 0"),
    "nautilus/ws_account_order_take_profit.json": ("order", "SELL TAKE_PROFIT GTC WORKING 0"),
    "nautilus/ws_account_position.json": ("position", "BOTH -0.01"),
    "nautilus/ws_account_position_short.json": ("position", "BOTH -0.01"),
    "nautilus/ws_account_wallet.json": ("balance", "BTC 0.00102964", "USDT 9647.75537647"),
    "nautilus/ws_account_wallet_locked_exceeds_total.json": ("balance", "USDT 100.0"),
    "nautilus/ws_account_wallet_small_order.json": ("balance", "USDT 51333.82543837"),
    # A REST answer, whatever its name says: an envelope without topic.
    "nautilus/ws_account_position_with_open_time.json": (),
    # `%s` stands for a symbol and is read as one; greeks are not HEAN's business.
    "gocryptotrader/ws-private.jsonl": (
        *("position", "BOTH 75", "order", "SELL MARKET IOC FILLED 1"),
        *("balance", "USDC 201.34882644", "BTC 0.06488393", "ETH 0", "USDT 11728.54414904"),
        *("EOS3L 215.0570412", "BIT 1.82", "execution"),
        "7e2ae69c-4edf-5800-a352-893d52b446aa SELL TRADE 0.3374 25 0.005061",
        *("order", "SELL MARKET IOC FILLED 1.7", "balance", "BREAK 201.34882644"),
    ),
}


@pytest.mark.parametrize("name", BYBIT)
def test_documented_private_bybit_frames(shared: Path, name: str) -> None:
    facts = read(parse_bybit, shared / "payloads/bybit/documented" / name)
    assert told(facts) == BYBIT[name]
    assert all(not one["unknown"] for fact in facts for one in fact.get("orders", ()))


LONG_PNL = ("BOTH 0", "LONG 20", "SHORT -10")
USDM = "nautilus/rust-adapter/futures/user_data_json/"
SPOT = "nautilus/rust-adapter/spot/user_data_json/"
OLD = "nautilus/python-adapter/ws_messages/ws_"
BINANCE = {
    "binance-net/ws/spot/Account/AccountPosition.txt": ("balance", "ETH 10000"),
    "binance-net/ws/spot/Account/Balance.txt": ("balance", "BTC -"),
    "binance-net/ws/spot/Account/OcoOrder.txt": ("order_list",),
    "binance-net/ws/spot/Account/Order.txt": ("order", "BUY LIMIT GTC WORKING 0.00000000"),
    "binance-net/ws/usdm/AccountUpdate.txt": (
        *("account", *LONG_PNL, "USDT 122624.12345678", "BUSD 1.00000000"),
    ),
    "binance-net/ws/usdm/AlgoOrderUpdate.txt": ("order", "SELL - GTC CANCELLED 0.00000"),
    "binance-net/ws/usdm/ConditionalTrigger.txt": ("trigger_rejected",),
    "binance-net/ws/usdm/Leverage.txt": ("setting",),
    "binance-net/ws/usdm/MarginUpdate.txt": ("margin_call", "LONG 1.327"),
    "binance-net/ws/usdm/MultiAssetMode.txt": ("setting",),
    "binance-net/ws/usdm/OrderUpdate.txt": ("order", "SELL - GTC WORKING 0"),
    "binance-net/ws/usdm/TradeUpdate.txt": ("execution", "109100866 BUY TRADE 64089.20 0.040 -"),
    USDM + "account_update.json": ("account", *LONG_PNL, "USDT 122624.12345678"),
    USDM + "account_update_bnfcr.json": ("account", "BNFCR 5001.28983031"),
    USDM + "algo_update_canceled.json": ("order", "SELL - GTC CANCELLED 0.00000"),
    USDM + "algo_update_new.json": ("order", "SELL - GTC WORKING 0.00000"),
    # NEW_ADL and NEW_INSURANCE say that the venue closes, not where the order stands.
    USDM + "order_update_adl.json": (
        *("order", "BUY LIMIT IOC - 0.005"),
        "12346001 BUY DELEVERAGING 42000.00 0.005 0.10500000",
    ),
    USDM + "order_update_insurance.json": (
        *("order", "SELL LIMIT IOC - 0.020"),
        "12346003 SELL LIQUIDATION 45000.00 0.020 0.45000000",
    ),
    USDM + "order_update_calculated.json": (
        *("order", "SELL LIMIT IOC FILLED 0.014"),
        "12345999 SELL LIQUIDATION 9910.12 0.014 0.06937084",
    ),
    USDM + "order_update_calculated_pending.json": ("order", "SELL LIMIT IOC WORKING 0"),
    USDM + "order_update_delivery.json": (
        *("order", "SELL LIMIT IOC FILLED 1", "12346003 SELL SETTLEMENT 70000.0 1 -"),
    ),
    USDM + "order_update_new.json": ("order", "BUY - GTC WORKING 0"),
    USDM + "order_update_settlement.json": (
        *("order", "SELL LIMIT IOC FILLED 0.010"),
        "12346002 SELL SETTLEMENT 50000.00 0.010 0.25000000",
    ),
    USDM + "order_update_trade.json": (
        *("order", "BUY LIMIT GTC PARTIAL 0.001", "12345678 BUY TRADE 7100.50 0.001 0.01000000"),
    ),
    USDM + "order_update_trade_partial.json": (
        *("order", "BUY LIMIT GTC PARTIAL 0.001", "12345678 BUY TRADE 7100.50 0.001 0.01000000"),
    ),
    USDM + "trade_lite.json": ("execution", "12345678 BUY TRADE 7100.50 0.001 -"),
    SPOT + "account_position.json": ("balance", "USDT 12500", "ETH 5"),
    SPOT + "account_position_wrapped.json": ("balance", "ETH 10000"),
    SPOT + "balance_update.json": ("balance", "BTC -"),
    SPOT + "balance_update_wrapped.json": ("balance", "BTC -"),
    SPOT + "execution_report_canceled.json": ("order", "BUY LIMIT GTC CANCELLED 0.00000000"),
    SPOT + "execution_report_expired.json": ("order", "BUY LIMIT IOC EXPIRED 0.00000000"),
    SPOT + "execution_report_new.json": ("order", "BUY LIMIT GTC WORKING 0.00000000"),
    SPOT + "execution_report_stop_loss.json": ("order", "SELL STOP_LIMIT GTC WORKING 0.00000000"),
    SPOT + "execution_report_trade.json": (
        *("order", "BUY LIMIT GTC FILLED 1.00000000"),
        "98765432 BUY TRADE 2500.00000000 1.00000000 0.00100000",
    ),
    SPOT + "execution_report_wrapped.json": ("order", "BUY LIMIT GTC WORKING 0.00000000"),
    SPOT + "list_status_wrapped.json": ("order_list",),
    OLD + "futures_algo_update_finished.json": ("order", "BUY STOP GTC FILLED 38"),
    OLD + "futures_algo_update_finished_canceled.json": ("order", "BUY STOP GTC CANCELLED 0"),
    OLD + "futures_algo_update_triggered.json": ("order", "BUY STOP GTC WORKING 0"),
    OLD + "futures_algo_update_triggering.json": ("order", "BUY STOP GTC WORKING -"),
    OLD + "futures_order_update_adl.json": (
        *("order", "BUY MARKET GTC FILLED 1.000"),
        "2233445566 BUY DELEVERAGING 2500.00 1.000 2.50000000",
    ),
    OLD + "futures_order_update_adl_filled.json": (
        *("order", "BUY MARKET GTC FILLED 1.000"),
        "2233445566 BUY DELEVERAGING 2500.00 1.000 2.50000000",
    ),
    OLD + "futures_order_update_liquidation.json": (
        *("order", "SELL MARKET GTC FILLED 0.100"),
        "1122334455 SELL LIQUIDATION 50000.00 0.100 5.00000000",
    ),
    OLD + "futures_order_update_liquidation_zero_qty.json": (
        *("order", "SELL MARKET GTC FILLED 0.000"),
    ),
    OLD + "futures_order_update_new_limit_if_touched_price_match.json": (
        *("order", "BUY - GTC WORKING 0.000"),
    ),
    OLD + "futures_order_update_new_price_match.json": ("order", "BUY LIMIT GTC WORKING 0.000"),
    OLD + "futures_order_update_new_reduce_only_qty.json": (
        *("order", "SELL LIMIT GTC WORKING 0.000"),
    ),
    OLD + "futures_order_update_new_stop_limit_price_match.json": (
        *("order", "SELL STOP_LIMIT GTC WORKING 0.000"),
    ),
    OLD + "futures_order_update_settlement.json": (
        *("order", "BUY MARKET GTC FILLED 0.050"),
        "4455667788 BUY SETTLEMENT 51000.00 0.050 2.55000000",
    ),
    OLD + "futures_order_update_trade_reduce_only_qty.json": (
        *("order", "SELL LIMIT GTC FILLED 1.000"),
        "9988776655 SELL TRADE 2500.00 1.000 0.50000000",
    ),
    OLD + "futures_trade_lite.json": ("execution", "4467432841 BUY TRADE 2631.90 0.037 -"),
    OLD + "spot_execution_report_calculated.json": (
        *("order", "SELL LIMIT GTC FILLED 0.01000000"),
        "98765432 SELL LIQUIDATION 49500.00000000 0.01000000 2.475",
    ),
    OLD + "spot_execution_report_canceled.json": ("order", "SELL LIMIT GTC CANCELLED 0.10000000"),
    OLD + "spot_execution_report_custom_client_id.json": (
        *("order", "BUY LIMIT GTC PARTIAL 0.50000000"),
        "98765432 BUY TRADE 2499.50000000 0.50000000 0.00050000",
    ),
    OLD + "spot_execution_report_empty_client_id.json": (
        *("order", "BUY LIMIT GTC PARTIAL 0.50000000"),
        "98765432 BUY TRADE 2499.50000000 0.50000000 0.00050000",
    ),
    OLD + "spot_execution_report_expired.json": ("order", "BUY LIMIT - EXPIRED 0.00000000"),
    OLD + "spot_execution_report_new.json": ("order", "BUY LIMIT GTC WORKING 0.00000000"),
    OLD + "spot_execution_report_new_limit_if_touched_price_match.json": (
        *("order", "BUY - GTC WORKING 0.00000000"),
    ),
    OLD + "spot_execution_report_new_price_match.json": (
        *("order", "BUY LIMIT GTC WORKING 0.00000000"),
    ),
    OLD + "spot_execution_report_new_stop_limit_price_match.json": (
        *("order", "SELL STOP_LIMIT GTC WORKING 0.00000000"),
    ),
    OLD + "spot_execution_report_pending_cancel.json": (
        *("order", "SELL LIMIT GTC WORKING 0.10000000"),
    ),
    OLD + "spot_execution_report_rejected.json": (
        *("order", "BUY LIMIT POST_ONLY REJECTED 0.00000000"),
    ),
    OLD + "spot_execution_report_trade.json": (
        *("order", "BUY LIMIT GTC PARTIAL 0.50000000"),
        "98765432 BUY TRADE 2499.50000000 0.50000000 0.00050000",
    ),
    # A fill at price 0 is told as the venue tells it; the account decides.
    OLD + "spot_execution_report_trade_l_zero.json": (
        *("order", "BUY LIMIT GTC FILLED 0.00100000"),
        "12345678 BUY TRADE 0.00000000 0.00100000 0",
    ),
    # A trade of quantity 0 executed nothing.
    OLD + "spot_execution_report_trade_l_zero_canceled.json": (
        *("order", "BUY LIMIT GTC CANCELLED 0.00000000"),
    ),
    OLD + "spot_execution_report_trade_l_zero_expired.json": (
        *("order", "BUY LIMIT - EXPIRED 0.00000000"),
    ),
    OLD + "spot_execution_report_trade_l_zero_new.json": (
        *("order", "BUY LIMIT GTC WORKING 0.00000000"),
    ),
    OLD + "spot_execution_report_trade_l_zero_partial.json": (
        *("order", "BUY LIMIT GTC PARTIAL 0.50000000"),
    ),
    OLD + "spot_execution_report_trade_prevention.json": (
        *("order", "BUY LIMIT GTC EXPIRED 0.00000000"),
    ),
}


@pytest.mark.parametrize("name", BINANCE)
def test_documented_private_binance_frames(shared: Path, name: str) -> None:
    facts = read(parse_binance, shared / "payloads/binance/documented" / name)
    assert told(facts) == BINANCE[name]
    unknown = [
        one["unknown"] for fact in facts if fact["kind"] == "order" for one in fact["orders"]
    ]
    strange = {"order_update_adl": ["status=NEW_ADL"]}
    strange["order_update_insurance"] = ["status=NEW_INSURANCE"]
    expected = strange.get(Path(name).stem, []) if name.startswith(USDM) else []
    assert all(words == expected for words in unknown)


def test_documented_answers_of_the_bybit_sockets(shared: Path) -> None:
    folder = shared / "payloads/bybit/documented"
    for operation, name in (("create", "Place"), ("amend", "Edit"), ("cancel", "Cancel")):
        auth, done = read(parse_bybit, folder / f"bybit-net/ws-trade/{name}Order.txt")
        assert (auth["operation"], auth["is_ok"], auth["id"]) == ("auth", True, "1")
        assert (done["operation"], done["code"], done["id"]) == (f"order.{operation}", 0, "|2|")
        assert done["exchange_order_id"] == "a4c1718e-fe53-4659-a118-1f6ecce04ad9"
        (limit,) = done["limits"]
        assert (limit["limit"], limit["used"]) == (10, 1)
    (done,) = read(parse_bybit, folder / "nautilus/ws_order_response.json")
    assert (done["client_order_id"], done["is_ok"]) == ("client-order-1", True)
    (refused,) = read(parse_bybit, folder / "nautilus/ws_auth_failure.json")
    assert (refused["is_ok"], refused["code"]) == (False, 10003)


def test_documented_answers_of_the_binance_websocket_api(shared: Path) -> None:
    """Each is a reply with status, and its result is the document's, value for value."""
    paths = sorted((shared / "payloads/binance/documented/binance-net/ws-api").rglob("*.txt"))
    assert len(paths) == 40
    for path in paths:
        (frame,) = updates(path)
        fact = parse_binance(frame)
        assert fact is not None
        assert (fact["kind"], fact["is_ok"], fact["status"], fact["id"]) == (
            "reply",
            True,
            200,
            "1",
        )
        document = json.loads(frame)
        assert json.loads(fact["result_json"]) == document["result"], path
        assert len(fact["limits"]) == len(document.get("rateLimits", ())), path
        result = document["result"]
        names = ("orderId", "algoId")
        found = [result[name] for name in names if isinstance(result, dict) and name in result]
        assert fact["exchange_order_id"] == (str(found[0]) if found else None), path


def test_no_documented_private_frame_is_forgotten(shared: Path) -> None:
    bybit = shared / "payloads/bybit/documented"
    names = [*bybit.glob("nautilus/ws_account*"), *bybit.glob("*/ws-private*")]
    names += bybit.glob("bybit-net/ws/Private/*")
    assert {str(path.relative_to(bybit)) for path in names} == set(BYBIT)
    binance = shared / "payloads/binance/documented"
    paths = [*binance.glob("nautilus/rust-adapter/*/user_data_json/*")]
    paths += binance.glob("binance-net/ws/spot/Account/*")
    paths += binance.glob("nautilus/python-adapter/ws_messages/*_report_*")
    paths += binance.glob("nautilus/python-adapter/ws_messages/*_order_update_*")
    paths += binance.glob("nautilus/python-adapter/ws_messages/*_algo_*")
    paths += binance.glob("nautilus/python-adapter/ws_messages/*_lite*")
    for name in ("AccountUpdate", "AlgoOrderUpdate", "ConditionalTrigger", "Leverage"):
        paths += binance.glob(f"binance-net/ws/usdm/{name}.txt")
    for name in ("MarginUpdate", "MultiAssetMode", "OrderUpdate", "TradeUpdate"):
        paths += binance.glob(f"binance-net/ws/usdm/{name}.txt")
    assert {str(path.relative_to(binance)) for path in paths} == set(BINANCE)
