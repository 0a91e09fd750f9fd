# SPDX-License-Identifier: Apache-2.0
"""The monitoring of deploy/monitoring for real: Prometheus scrapes an engine that trades on paper
and the five processes of the HFT fleet; every query of every dashboard returns data; alerts fire
and reach whom the routes name. Only periods are shortened and receivers are webhooks.

One test, because what it needs takes long to start: two servers, a twin, an engine, five processes.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from face_desk import FaceDesk, face_desk
from fleet.hft_fleet import PROCESSES, address_of, fleet_of, recorded_market
from hean.api.permissions import Role
from monitoring.prometheus_server import Server, alertmanager, prometheus, redis_exporter
from monitoring.test_rules import DASHBOARDS, FOLDER, alerts
from redis_server import RedisServer

pytestmark = pytest.mark.server
IN_TIME_S = 240.0
SPEED = 2.0  # of the recorded market: more than three minutes of it, and killed at the end
SCRAPE_S = 1.0
NOWHERE = "127.0.0.1:1"
QUICK = {"group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"}


class Receivers:
    """Webhooks in place of chat, mail and pager. `heard`: names of alerts by receiver."""

    def __init__(self) -> None:
        self.heard: dict[str, set[str]] = {}
        self._app = web.Application()
        self._app.add_routes([web.post("/{receiver}", self._take)])
        self._runner = web.AppRunner(self._app)

    async def start(self) -> str:
        """Returns the address."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    def got(self, receiver: str, *names: str) -> bool:
        return set(names) <= self.heard.get(receiver, set())

    async def _take(self, request: web.Request) -> web.Response:
        document = await request.json()
        heard = self.heard.setdefault(request.match_info["receiver"], set())
        heard |= {each["labels"]["alertname"] for each in document["alerts"]}
        return web.Response()


def quick_routes(route: dict[str, Any]) -> None:
    """The routes as they are, in a hurry."""
    route.update(QUICK)
    for each in route.get("routes", []):
        quick_routes(each)


def alertmanager_config(folder: Path, url: str) -> Path:
    """That of the project with webhooks for receivers."""
    document = yaml.safe_load((FOLDER / "alertmanager" / "alertmanager.yml").read_text())
    document["global"] = {}
    quick_routes(document["route"])
    for receiver in document["receivers"]:
        name = receiver["name"]
        receiver.clear()
        receiver.update(name=name, webhook_configs=[{"url": f"{url}/{name}"}])
    path = folder / "alertmanager.yml"
    path.write_text(yaml.safe_dump(document))
    return path


def prometheus_config(folder: Path, token: str, **targets: str) -> Path:
    """That of the project, asking once a second. *targets*: by name of their file."""
    place = folder / "prometheus"
    shutil.copytree(FOLDER / "prometheus", place)
    config = place / "prometheus.yml"
    config.write_text(re.sub(r"(_interval): \w+", r"\1: 1s", config.read_text()))
    rules = place / "rules" / "hean.yml"
    rules.write_text(re.sub(r"\bfor: \w+", "for: 1s", rules.read_text()))
    (place / "secrets").mkdir()
    for name in ("metrics_token", "fleet_token"):
        (place / "secrets" / name).write_text(token)
    for path in (place / "targets").glob("*.yml"):
        aim(place, path.stem, *filter(None, [targets.get(path.stem.replace("-", "_"))]))
    return config


def aim(place: Path, name: str, *targets: str) -> None:
    """Let a file of targets name these; whole at once, for it is watched."""
    fresh = place / "targets" / f"{name}.new"
    fresh.write_text(json.dumps([{"targets": list(targets)}]))
    fresh.rename(place / "targets" / f"{name}.yml")


async def until(condition: Callable[[], bool], what: Callable[[], object]) -> None:
    """Wait for it."""
    deadline = asyncio.get_running_loop().time() + IN_TIME_S
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, what()
        await asyncio.sleep(0.1)


async def results(desk: FaceDesk, server: Server, query: str) -> list[Any]:
    """What Prometheus answers to a query."""
    url = f"{server.url}/api/v1/query"
    async with desk.http.post(url, data={"query": query}) as answer:
        document = await answer.json()
    assert document["status"] == "success", (query, document)
    found: list[Any] = document["data"]["result"]
    return found


async def trade(desk: FaceDesk, number: int) -> None:
    """An order that is filled, so that a position stays open; and one that nobody may place."""
    side, qty = ("SELL", "0.002") if number % 2 else ("BUY", "0.002" if number else "0.01")
    order = {"symbol": "BTCUSDT", "side": side, "type": "MARKET", "qty": qty}
    await desk.ask("POST", "/orders", order)
    await desk.ask("POST", "/orders", {**order, "qty": "500"})


async def everything_has_data(desk: FaceDesk, server: Server) -> None:
    """Every query of the dashboards, asked until it has an answer; rates need trades between two
    looks."""
    panels = [panel for path in DASHBOARDS for panel in json.loads(path.read_text())["panels"]]
    waiting = {target["expr"] for panel in panels for target in panel["targets"]}
    assert len(waiting) > 50
    deadline, rounds = asyncio.get_running_loop().time() + IN_TIME_S, 0
    while waiting:
        assert asyncio.get_running_loop().time() < deadline, sorted(waiting)
        await trade(desk, rounds)
        await asyncio.sleep(SCRAPE_S)
        rounds += 1
        waiting = {query for query in waiting if not await results(desk, server, query)}


@asynccontextmanager
async def monitored(folder: Path, url: str) -> AsyncIterator[tuple[FaceDesk, Server, Path]]:
    """Engine, Prometheus, Alertmanager; and where the configuration is."""
    manager = alertmanager(alertmanager_config(folder, url), folder / "am")
    async with face_desk(folder) as desk:
        with manager:
            config = prometheus_config(
                folder, desk.tokens[Role.VIEWER], market_data=NOWHERE,
                engine=desk.face.server.url.removeprefix("http://"),
                alertmanager=manager.url.removeprefix("http://"),
            )  # fmt: skip
            with prometheus(config, folder / "tsdb") as server:
                yield desk, server, config.parent


@pytest.mark.promise(107)
@pytest.mark.promise(111)
async def test_dashboards_have_data_and_alerts_reach_who_they_are_for(tmp_path: Path) -> None:
    receivers = Receivers()
    url = await receivers.start()
    tape = recorded_market(tmp_path)

    def heard() -> object:
        return receivers.heard

    redis = RedisServer(tmp_path / "redis")
    with redis, redis_exporter(redis.url, tmp_path / "exporter") as exporter:
        fleet = fleet_of(tmp_path, "redis", {"REDIS_URL": redis.url}, tape, SPEED)
        async with monitored(tmp_path, url) as (desk, server, place):
            down = "HeanTargetDown", "HeanEngineStopped"
            await until(lambda: receivers.got("chat", *down), heard)
            await until(lambda: receivers.got("pager", "HeanTargetDown"), heard)
            await until(lambda: receivers.got("watchdog", "Watchdog"), heard)
            await desk.engine.start()
            with fleet:
                for name in PROCESSES:
                    fleet.start(name)
                doors = [await asyncio.to_thread(address_of, fleet, name) for name in PROCESSES]
                aim(place, "fleet", *doors)
                aim(place, "redis", exporter.url.removeprefix("http://"))
                await everything_has_data(desk, server)
            await until(lambda: receivers.got("chat", "HeanRejectRateHigh"), heard)
            await desk.ask("POST", "/killswitch/trigger", {"reason": "a test"})
            stops = "HeanTradingHalted", "HeanKillswitchTriggered"
            await until(lambda: receivers.got("pager", *stops), heard)
            assert not receivers.got("pager", "HeanEngineStopped")
            async with desk.http.get(f"{server.url}/api/v1/rules") as answer:
                groups = (await answer.json())["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert {rule["name"] for rule in rules} >= alerts().keys()
    assert {rule["health"] for rule in rules} == {"ok"}
    await receivers.stop()
