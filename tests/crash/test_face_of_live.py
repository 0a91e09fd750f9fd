# SPDX-License-Identifier: Apache-2.0
"""A real `hean live` at a twin, shown and commanded over HTTP by a real `hean serve --live`: three
processes. What is asked of the one is compared with what the other says over its own socket and
with the exchange's ledger.
"""

from __future__ import annotations

import http.client
import json
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crash.cells import short_folder
from crash.live_process import OTHER_TIMES, SYMBOLS, LiveProcess, Place
from free_port import free_port
from hean.api.permissions import Role
from hean.api.server import listen
from hean.api.tokens import Tokens
from hean.cli_beside import IF_TAKEN
from hean.secret import Secret
from serve_process import MARK, ServeProcess
from venue_contract.twin_process import TwinProcess, wait_until

pytestmark = pytest.mark.server

USUAL_TIMES = ("-m", "hean")
BTC = SYMBOLS[0]
STRATEGY = "mover"
OK, ACCEPTED, FORBIDDEN, CONFLICT, TOO_MANY = 200, 202, 403, 409, 429
REASON = "looked at the feed, it was the test"


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture
def place(folder: Path) -> Iterator[Place]:
    with TwinProcess("bybit", folder) as twin:
        place = Place(twin, "linear", folder, given={"every": "3"}, program=OTHER_TIMES)
        place.command()  # writes the configuration, which the API reads as well
        yield place


def trading(place: Place, api: ServeProcess, process: LiveProcess) -> None:
    """Wait until it runs, and open the gate as a person would, over HTTP."""
    api.until_state("RUNNING")
    status = process.until_ready()
    phrase = f"live {status['account']} testnet"

    def confirmed() -> bool:
        answer = api.ask("POST", "/live/confirm", {"confirm_phrase": phrase}, role=Role.RISK)
        return answer[0] == OK and answer[1]["is_open"]

    wait_until(confirmed, "an open gate")


def quiet(place: Place) -> Place:
    """Its strategy asks for nothing."""
    return Place(
        place.twin, place.market, place.folder, given={"paused": "true"}, program=place.program
    )


def sent(place: Place, kind: str = "new") -> list[dict[str, Any]]:
    """What reached the exchange."""
    return [row for row in place.twin.control.ledger() if row["kind"] == kind]


def order(side: str = "BUY", qty: str = "0.01", price: str | None = None) -> dict[str, Any]:
    asked = {"symbol": BTC, "side": side, "type": "LIMIT" if price else "MARKET", "qty": qty}
    return asked | ({"price": price} if price else {})


def test_what_it_does_is_shown_and_is_what_it_says_itself(place: Place) -> None:
    with ServeProcess(place) as api:
        status = api.got("/engine/status")
        assert (status["state"], status["mode"]) == ("STOPPED", "NONE")
        with LiveProcess(place) as process:
            status = api.until_state("RUNNING")
            assert status["mode"] == "TESTNET", "from the server, not from a setting of the page"
            gate = api.got("/live")
            assert not gate["is_open"]
            assert gate["missing"] == ["the phrase of this boot, typed by a person"]
            trading(place, api, process)
            fills = api.until("/fills", lambda rows: len(rows) > 3, "trades")
            assert {row["strategy_id"] for row in fills} == {STRATEGY}
            assert api.got("/strategies")[0]["id"] == STRATEGY

            digests: dict[int, str] = {}
            for _ in range(40):
                own, shown = process.status(), api.got("/state/digest")
                digests[own["seq"]] = own["state_hash"]
                digests.setdefault(shown["seq"], shown["state_hash"])
                assert digests[shown["seq"]] == shown["state_hash"], "another state than its own"
            assert process.stop() == 0
            assert api.until_state("STOPPED")["mode"] == "NONE"
            held = {row["symbol"]: row["qty"] for row in api.got("/positions")}
            account = place.twin.control.account()
            real = {
                row["symbol"]: row["size"] for row in account["positions"] if float(row["size"])
            }
            assert {k: float(v) for k, v in held.items()} == {k: float(v) for k, v in real.items()}

            order_id = fills[0]["client_order_id"]
            chain = api.got(f"/orders/{order_id}/why")["chain"]
            assert {"SIGNAL", "CHECKS", "SENT", "FILLED"} <= {
                step["what"] for step in chain["steps"]
            }
            assert chain["rules"], "what every rule saw"


def test_an_order_by_hand_goes_through_the_same_doors_and_is_taken_back(place: Place) -> None:
    with LiveProcess(quiet(place)) as process, ServeProcess(place) as api:
        api.until_state("RUNNING")
        price = api.until("/market", lambda rows: rows[0]["price"], "a price")[0]["price"]
        status, early = api.ask("POST", "/orders", order(), role=Role.TRADER)
        assert status == ACCEPTED
        ended = api.until(
            f"/orders/{early['client_order_id']}", lambda row: row["status"] == "REJECTED", "a no"
        )
        assert "the phrase of this boot" in ended["reason"], "the gate, at the last hop"
        assert not sent(place)
        trading(place, api, process)

        far = f"{price * 0.97:.1f}"
        assert api.ask("POST", "/orders", order(price=far), role=Role.OPERATOR)[0] == FORBIDDEN
        status, resting = api.ask("POST", "/orders", order(price=far), role=Role.TRADER)
        assert (status, resting["strategy_id"]) == (ACCEPTED, "manual")
        path = f"/orders/{resting['client_order_id']}"
        api.until(path, lambda row: row["status"] == "WORKING", "a working order")
        assert [row["client_order_id"] for row in sent(place)] == [resting["client_order_id"]]
        assert api.ask("DELETE", path, role=Role.TRADER)[0] == OK
        api.until(path, lambda row: row["status"] == "CANCELLED", "its end")

        _, bought = api.ask("POST", "/orders", order(), role=Role.TRADER)
        api.until(
            f"/orders/{bought['client_order_id']}", lambda r: r["status"] == "FILLED", "a fill"
        )
        (position,) = api.until("/positions", lambda rows: rows, "a position")
        assert (position["symbol"], position["qty"]) == (BTC, "0.01")

        for step in range(3):
            api.ask("POST", "/orders", order(price=f"{price * (0.96 - step / 100):.1f}"))
        api.until("/orders?status=WORKING", lambda rows: len(rows) == 3, "three orders")
        status, asked = api.ask("POST", "/orders/cancel-all", role=Role.OPERATOR)
        assert (status, len(asked)) == (OK, 3)
        api.until("/orders?status=WORKING", lambda rows: not rows, "none of them left")


def test_the_kill_switch_is_tripped_and_released_over_http(place: Place) -> None:
    with LiveProcess(place) as process, ServeProcess(place) as api:
        trading(place, api, process)
        api.until("/fills", lambda rows: rows, "trades")
        asked = {"reason": "the feed looks wrong", "level": "HALT_NEW"}
        status, latch = api.ask("POST", "/killswitch/trigger", asked, role=Role.OPERATOR)
        assert (status, latch["latched"], latch["level"]) == (OK, True, "HALT_NEW")
        assert process.status()["level"] == "HALT_NEW"
        assert api.got("/engine/status")["state"] == "HALTED"
        seq = place.twin.control.seq()
        time.sleep(1.0)
        news = [row for row in place.twin.control.ledger(seq) if row["kind"] == "new"]
        assert not [row for row in news if row["side"] == "BUY"], "this strategy opens by buying"

        account = process.status()["account"]
        wish = {"phrase": "release me", "reason": REASON}
        status, refusal = api.ask("POST", "/killswitch/release", wish, role=Role.RISK)
        assert (status, refusal["code"]) == (CONFLICT, "StillLatched")
        assert account not in str(refusal), "what is missing, never the phrase"
        wish["phrase"] = f"release {account}"
        assert api.ask("POST", "/killswitch/release", wish, role=Role.TRADER)[0] == FORBIDDEN
        wait_until(
            lambda: api.ask("POST", "/killswitch/release", wish, role=Role.RISK)[0] == OK,
            "a release, once books were compared",
        )
        assert process.status()["level"] == "RUN"
        assert api.until_state("RUNNING")
        fills = len(api.got("/fills?limit=1000"))
        api.until("/fills?limit=1000", lambda rows: len(rows) > fills, "trading again")


def test_what_people_switched_and_lowered_outlives_a_kill(place: Place) -> None:
    with ServeProcess(place) as api:
        with LiveProcess(place) as process:
            trading(place, api, process)
            api.until("/fills", lambda rows: rows, "trades")
            status, off = api.ask("POST", f"/strategies/{STRATEGY}/disable", role=Role.OPERATOR)
            who = off["disabled_by"]
            assert who.startswith("operator:operator#")
            assert (status, off["enabled"], off["disabled_by"]) == (OK, False, who)
            lower = {"limits": {"order_value_max": "50"}}
            assert api.ask("PATCH", "/risk/limits", lower, role=Role.TRADER)[0] == OK
            higher = {"limits": {"open_orders_max": "500"}, "reason": REASON}
            assert api.ask("PATCH", "/risk/limits", higher, role=Role.TRADER)[0] == FORBIDDEN
            assert api.ask("PATCH", "/risk/limits", higher, role=Role.RISK)[0] == OK
            process.kill()
        down = api.until_state("FAILED")
        assert (down["mode"], "died" in down["error"]) == ("NONE", True)
        assert api.ask("POST", "/orders", order())[0] == CONFLICT
        assert api.ask("POST", "/engine/start")[0] == CONFLICT, "its keys are elsewhere"
        assert api.got("/positions") is not None, "what the journal holds is still shown"
        with LiveProcess(place) as process:
            trading(place, api, process)
            assert api.got("/strategies")[0]["disabled_by"] == who
            limits = {row["name"]: row["value"] for row in api.got("/risk")["limits"]}
            assert limits["order_value_max"] == "50"
            assert limits["open_orders_max"] == "200", "what was raised is the file's again"

            def reason() -> str:
                status, large = api.ask("POST", "/orders", order(), role=Role.TRADER)
                if status == TOO_MANY:
                    return ""
                assert large["status"] == "REJECTED"
                return "" if "reference price" in large["reason"] else str(large["reason"])

            assert "50" in wait_until(reason, "a price that it is valued at")
            seq = place.twin.control.seq()
            time.sleep(1.5)
            opened = [row for row in place.twin.control.ledger(seq) if row["kind"] == "new"]
            assert not [row for row in opened if row["side"] == "BUY"]


@pytest.mark.control("C-40")
def test_a_process_that_stands_still_is_unknown_and_one_that_is_gone_can_be_stopped(
    place: Place,
) -> None:
    place = replace(place, program=USUAL_TIMES)
    with ServeProcess(place) as api:
        with LiveProcess(place) as process:
            trading(place, api, process)
            wait_until(lambda: api.ask("GET", "/health/ready")[0] == OK, "it to be ready")
            process.signal(signal.SIGSTOP)
            assert api.until_state("UNKNOWN")["mode"] == "UNKNOWN"
            assert not api.got("/live")["is_open"]
            assert api.ask("GET", "/health/ready")[0] != OK
            process.signal(signal.SIGCONT)
            assert api.until_state("RUNNING", "HALTED")["mode"] == "TESTNET"
            process.kill()
        api.until_state("FAILED")
        asked = {"reason": "before anybody starts it", "level": "HALT_NEW"}
        status, latch = api.ask("POST", "/killswitch/trigger", asked, role=Role.OPERATOR)
        assert (status, latch["level"]) == (OK, "HALT_NEW")
        with LiveProcess(place) as process:
            assert process.until_ready()["level"] == "HALT_NEW"
            api.until_state("HALTED")


def test_the_death_of_the_api_is_nothing_to_the_trading(place: Place) -> None:
    with LiveProcess(place) as process:
        with ServeProcess(place) as api:
            trading(place, api, process)
            api.until("/fills", lambda rows: rows, "trades")
            api.kill()
        before = process.status()
        wait_until(lambda: process.status()["seq"] > before["seq"] + 20, "that it goes on")
        after = process.status()
        assert (after["epoch"], after["level"]) == (before["epoch"], "RUN")
        assert not after["missing"]
        with ServeProcess(place) as api:
            status = api.until_state("RUNNING")
            assert status["mode"] == "TESTNET"
            assert api.got("/fills"), "those of before it began"
            assert api.stop() == 0
        assert process.is_alive
        assert process.stop() == 0


def test_hean_live_brings_its_page_up_and_takes_it_along_when_it_ends(place: Place) -> None:
    key = "5f" * 32
    where = str(free_port())
    beside = Place(
        place.twin, "linear", place.folder, given={"paused": "true"}, face=(),
        environment={"SECRET_KEY": key, "HEAN_API_PORT": where},
    )  # fmt: skip
    with LiveProcess(beside) as process:
        told = wait_until(lambda: MARK in process.words() and process.words(), "its address")
        port = int(told.split(MARK)[1].split()[0])
        assert str(port) == where
        assert "#pair=" not in told, "what logs in is no word for a log"
        (child,) = children_of(process.pid)
        shown = Path(f"/proc/{child}/environ").read_text()
        assert "API_KEY" not in shown and "LIVE_CONFIRM" not in shown
        token = (place.folder / "data" / "admin.token").read_text().strip()
        assert Tokens(place.folder / "data", key=Secret(key)).find(token), "signed by its key"
        assert Tokens(place.folder / "data").find(token) is None
        assert key not in process.words()
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

        def state() -> str:
            line.request("GET", "/engine/status", headers={"Authorization": f"Bearer {token}"})
            return str(json.loads(line.getresponse().read())["state"])

        wait_until(lambda: state() == "RUNNING", "the engine")
        line.close()
        process.kill()
        wait_until(lambda: not Path(f"/proc/{child}/environ").exists(), "its end")


def test_a_port_that_is_another_s_is_told_and_nothing_to_the_trading(place: Place) -> None:
    with closing(listen("127.0.0.1", 0)) as other:
        taken = str(other.getsockname()[1])
        beside = Place(
            place.twin, "linear", place.folder, given={"paused": "true"}, face=("--api", taken)
        )
        with LiveProcess(beside) as process:
            said = wait_until(
                lambda: IF_TAKEN in process.words() and process.words(), "the words", timeout_s=90
            )
            assert f"127.0.0.1:{taken}: Address already in use" in said
            assert process.until_ready()
            assert process.stop() == 0


def children_of(pid: int) -> list[int]:
    """Processes that it started."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(each) for each in path.read_text().split()]


@pytest.mark.promise(89)
def test_books_beside_the_venues_and_how_old_the_comparison_is(place: Place) -> None:
    with LiveProcess(quiet(place)) as process, ServeProcess(place) as api:
        trading(place, api, process)
        found = api.until("/reconcile", lambda each: each["is_clean"], "a verdict")
        assert {row["name"]: row["difference"] for row in found["holdings"]}[BTC] == "0"
        assert found["undecided"] == []
        text = api.got("/metrics")
        lag = next(
            line for line in text.splitlines() if line.startswith("hean_reconcile_lag_seconds")
        )
        assert 0 <= float(lag.split()[1]) < 60
        status, refusal = api.ask(
            "POST",
            "/reconcile/resolve",
            {"order_id": "h1-none-1", "claim": "ended", "phrase": "x", "reason": REASON},
            role=Role.RISK,
        )
        assert (status, refusal["code"]) == (404, "OrderUnknown")
        place.twin.control.manual(
            "place", symbol=BTC, side="BUY", qty="0.01", price="30000", client_id="mine-1"
        )
        found = api.until("/reconcile", lambda each: each["differences"], "the next reading")
        assert "somebody's own, left alone" in found["differences"][0]
        (listed,) = found["orders"]
        assert (listed["order_id"], listed["status"]) == ("mine-1", "")
        assert float(listed["open_qty"]) == 0.01
        assert found["is_clean"], "it is explained"
