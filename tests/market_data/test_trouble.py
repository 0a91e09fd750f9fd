# SPDX-License-Identifier: Apache-2.0
"""Trouble at the exchange: lines that die, stand still or are refused, books with holes, poisoned
frames. The service never answers an old book for a new one, and is whole again by itself.
"""

from __future__ import annotations

import http.client
import subprocess
from collections.abc import Iterator

import pytest

from market_data.service_process import Service, addresses, binary
from venue_contract.twin_process import TwinProcess, wait_until

BACK_S = 120.0
LONG_S = 600  # longer than anybody waits: what lasts so long ends when it is calmed


@pytest.fixture(scope="module", params=["bybit", "binance"])
def heard(request, tmp_path_factory) -> Iterator[tuple[TwinProcess, Service]]:
    twin = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp("service")
    given = {"EXCHANGE": twin.exchange, "SYMBOLS": "BTCUSDT,BTCUSDT@spot", **addresses(twin)}
    with Service(folder, **given) as service:
        yield twin, service.until_ready()
        twin.control.post("calm")


@pytest.fixture(autouse=True)
def calm(request) -> Iterator[None]:
    """No dial outlives its test, also one that failed."""
    yield
    if "heard" in request.fixturenames:
        request.getfixturevalue("heard")[0].control.post("calm")


def gaps(service: Service) -> float:
    """Chains of books that broke, over all feeds."""
    lines = service.told("/metrics").splitlines()
    return sum(float(line.split(" ")[-1]) for line in lines if 'kind="gaps"' in line)


def test_a_cut_line_means_no_book_and_comes_back(heard):
    twin, service = heard
    path = "/api/v1/ticker/BTCUSDT"
    wait_until(lambda: service.get(path)[0] == 200 and service.told(path)["size"], "a trade")
    twin.control.fault("public_cut", refuses_s=LONG_S)
    wait_until(lambda: no_book(service), "no book")
    told = service.told("/api/v1/ticker/BTCUSDT")
    assert told["is_stale"] is True
    assert told["bid"] is None
    assert service.get("/health/live")[0] == 200
    assert service.told("/health")["status"] == "degraded"
    twin.control.post("calm")
    service.until_ready()
    assert service.told("/api/v1/ticker/BTCUSDT")["is_stale"] is False
    feeds = service.told("/health")["feeds"]
    assert all(feed["is_up"] for feed in feeds)
    assert sum(feed["drops"] for feed in feeds) >= 1


def test_a_hole_in_a_book_is_found_and_mended(heard):
    twin, service = heard
    before = gaps(service)
    twin.control.fault("book_gap", match={"topic": "book"}, count=1)
    wait_until(lambda: gaps(service) > before, "a hole", timeout_s=BACK_S)
    service.until_ready()


def drops(service: Service) -> int:
    return sum(feed["drops"] for feed in service.told("/health")["feeds"])


def no_book(service: Service) -> bool:
    return service.get("/api/v1/orderbook/BTCUSDT")[0] == 503


def test_a_line_that_stands_still_is_given_up(heard):
    twin, service = heard
    before = drops(service)
    twin.control.fault("stall", match={"which": "public"}, pongs=False)
    wait_until(lambda: no_book(service), "no book", timeout_s=BACK_S)
    wait_until(lambda: drops(service) > before, "the dead line", timeout_s=BACK_S)
    twin.control.post("calm")
    service.until_ready()


def test_a_book_that_falls_silent_alone_is_not_told(heard):
    twin, service = heard
    before = drops(service)
    twin.control.fault("stall", match={"topic": "book"})
    wait_until(lambda: no_book(service), "no book", timeout_s=BACK_S)
    assert service.told("/api/v1/ticker/BTCUSDT")["is_stale"] is True
    twin.control.post("calm")
    service.until_ready()
    assert drops(service) <= before + 2


@pytest.mark.parametrize("form", ["nan", "number", "truncated", "bad_utf8", "deep", "extra"])
def test_poison_changes_nothing_that_is_told(heard, form):
    twin, service = heard
    twin.control.fault("poison", form=form, adds=True, count=3)
    wait_until(lambda: not twin.control.get("state")["faults"], "it was sent", timeout_s=BACK_S)
    told = service.until_ready().told("/api/v1/ticker/BTCUSDT")
    assert 10_000 < told["bid"] < told["ask"] < 1_000_000


def test_it_waits_for_an_exchange_that_is_not_there(tmp_path, bybit):
    away = {name: value.replace(str(bybit.port), "1") for name, value in addresses(bybit).items()}
    with Service(tmp_path, **away) as service:
        assert service.get("/health/live")[0] == 200
        assert service.get("/health/ready")[0] == 503
        status, words = service.get("/api/v1/ticker/BTCUSDT")
        assert (status, words["status"]) == (503, 503)
        assert service.stop() == 0


def test_a_symbol_that_is_not_listed_ends_it_by_name(tmp_path, bybit):
    given = {"SYMBOLS": "BTCUSDT,NOSUCHUSDT", **addresses(bybit)}
    command = [str(binary()), "--listen", "127.0.0.1:0"]
    ended = subprocess.run(command, check=False, env=given, capture_output=True, timeout=60)
    assert ended.returncode == 2
    assert b"does not list NOSUCHUSDT" in ended.stderr


def test_a_refused_subscription_is_said(tmp_path, bybit):
    bybit.control.fault("subscription_refused", count=1)
    with Service(tmp_path, SYMBOLS="BTCUSDT", **addresses(bybit)) as service:
        wait_until(lambda: "refused" in service.log(), "the refusal in the log")


def test_an_idle_line_of_a_client_costs_nothing(heard):
    _, service = heard
    lines = [http.client.HTTPConnection("127.0.0.1", service.port) for _ in range(200)]
    for line in lines:
        line.connect()
    wait_until(lambda: service.metric("hean_market_data_clients") > 200, "they are in")
    assert service.metric("process_resident_memory_bytes") < 50e6
    for line in lines:
        line.close()
    wait_until(lambda: service.metric("hean_market_data_clients") < 50, "they are gone")
