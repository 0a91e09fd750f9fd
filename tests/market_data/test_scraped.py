# SPDX-License-Identifier: Apache-2.0
"""The service as Prometheus sees it: a real one, with the project's configuration, has a series of
every number that the service tells, and says so when the service is gone.
"""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from market_data.service_process import Service, addresses
from monitoring.prometheus_server import Server, prometheus
from monitoring.test_monitoring import NOWHERE, prometheus_config
from redis_server import RedisServer
from venue_contract.twin_process import wait_until

JOB = 'job="hean-market-data"'
IN_TIME_S = 120.0


def asked(server: Server, path: str, **words: str) -> Any:
    """What Prometheus answers."""
    url = f"{server.url}/api/v1/{path}?{urllib.parse.urlencode(words)}"
    with urllib.request.urlopen(url, timeout=60) as answer:
        document = json.load(answer)
    assert document["status"] == "success", document
    return document["data"]


def series(server: Server, query: str) -> list[float]:
    """Newest values of a query."""
    return [float(each["value"][1]) for each in asked(server, "query", query=query)["result"]]


def names_of(page: str) -> set[str]:
    """Every sample's name, labels left out."""
    return set(re.findall(r"^([a-z_]+)(?:\{| )", page, re.MULTILINE))


def test_prometheus_has_every_number_of_the_service(bybit, tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as redis:
        given = {"SYMBOLS": "BTCUSDT,ETHUSDT", "REDIS_URL": redis.url, **addresses(bybit)}
        with Service(tmp_path, **given) as service:
            place = f"127.0.0.1:{service.port}"
            config = prometheus_config(tmp_path, "none", market_data=place, alertmanager=NOWHERE)
            with prometheus(config, tmp_path / "tsdb") as server:
                service.until_ready()
                wait_until(
                    lambda: series(server, f"up{{{JOB}}}") == [1.0], "a look", timeout_s=IN_TIME_S
                )
                told = names_of(service.told("/metrics"))
                assert len(told) > 20 and "hean_market_data_broker_up" in told
                wait_until(
                    lambda: not [n for n in told if not series(server, f"{n}{{{JOB}}}")],
                    "a series of each", timeout_s=IN_TIME_S,
                )  # fmt: skip
                frames = f"sum(rate(hean_market_data_frames_total{{{JOB}}}[10s])) > 0"
                wait_until(lambda: series(server, frames), "frames", timeout_s=IN_TIME_S)
                published = f"hean_market_data_published_total{{{JOB}}} > 0"
                wait_until(lambda: series(server, published), "facts in Redis", timeout_s=IN_TIME_S)
                assert service.stop() == 0
                wait_until(lambda: is_missed(server), "word that it is gone", timeout_s=IN_TIME_S)


def is_missed(server: Server) -> bool:
    """Whether an alert says that the service is down."""
    return any(
        alert["labels"]["alertname"] == "HeanTargetDown"
        and alert["labels"]["job"] == "hean-market-data"
        and alert["state"] == "firing"
        for alert in asked(server, "alerts")["alerts"]
    )
