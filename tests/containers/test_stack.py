# SPDX-License-Identifier: Apache-2.0
"""The stack for real: images built from the repository's own Dockerfiles, brought up by Docker
Compose on podman, used through its door, scaled, and taken down until nothing is left. It takes a
minute or two, for everything is made from nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from containers.engine import HUB, ROOT, Engine
from containers.stack import FLEET, FULL, HEALTHY_S, VALKEY, Images, Stack
from free_port import free_port
from venue_contract.twin_process import wait_until

pytestmark = [pytest.mark.server, pytest.mark.promise(144)]
READERS = 2
KEYDB = "docker-compose.keydb.yml"


@pytest.fixture(scope="module")
def small(stack: Stack) -> Stack:
    """The default: page, API, Redis."""
    stack.compose("up", "-d", "--wait", "--no-build")
    return stack


@pytest.fixture(scope="module")
def full(small: Stack, images: Images) -> Iterator[Stack]:
    """The profile `full`, laid over the default."""
    images.stand_in("exporters", "prom/node-exporter:v1.9.1", PROGRAM="node-exporter")
    images.stand_in(
        "exporters", "oliver006/redis_exporter:v1.74.0-alpine", PROGRAM="redis-exporter"
    )
    watching(images)
    token = small.engine.podman(
        "exec", "hean-api", "hean", "token", "create", "--role", "viewer", "--name", "metrics"
    )
    (small.secrets / "metrics_token").write_text(token.splitlines()[0])
    small.up(*FULL)
    yield small


def watching(images: Images) -> None:
    """What watches."""
    images.stand_in("exporters", "prom/alertmanager:v0.28.1", PROGRAM="alertmanager")
    images.stand_in("prometheus", "prom/prometheus:v2.53.5")


@pytest.mark.promise(178)
@pytest.mark.promise(147)
def test_the_default_comes_up_healthy(small: Stack) -> None:
    assert small.services() == {"ui": ["hean-ui"], "api": ["hean-api"], "redis": ["hean-redis"]}


@pytest.mark.promise(158)
@pytest.mark.promise(176)
def test_the_door_serves_the_page(small: Stack) -> None:
    status, body, headers = small.get("/")
    assert status == 200 and headers["content-type"].startswith("text/html")
    assert b'id="root"' in body
    assert "nonce-" in headers["content-security-policy"]
    script = body.partition(b'src="')[2].partition(b'"')[0].decode()
    status, body, headers = small.get(script.removeprefix("."))
    assert status == 200 and "javascript" in headers["content-type"] and len(body) > 10_000


@pytest.mark.promise(66)
@pytest.mark.promise(58)
def test_the_api_answers_through_the_door_whoever_has_a_token(small: Stack) -> None:
    assert small.get("/health/live")[0] == 200
    status, body, _ = small.get("/api/health")
    assert (status, json.loads(body)["code"]) == (401, "TokenRefused")
    assert small.get("/api/health", token="wrong" * 8)[0] == 401
    status, body, _ = small.get("/api/health", token=small.token())
    assert status == 200 and {"status", "services", "orchestrator"} <= json.loads(body).keys()


def test_an_engine_is_started_through_the_door_and_its_health_is_its_progress(small: Stack) -> None:
    token = small.token()
    started = small.get("/api/engine/start", token=token, method="POST", headers={
        "Origin": f"http://localhost:{small.ports['ui']}", "X-HEAN-Request": "1",
    })  # fmt: skip
    assert started[0] == 200, started

    def is_trading() -> bool:
        return small.get("/api/portfolio/summary", token=token)[0] == 200

    small.until(is_trading, "a portfolio")
    assert small.engine.probe("hean-api") == "healthy"
    foreign = {"Origin": "http://elsewhere.example", "X-HEAN-Request": "1"}
    refused = small.get("/api/engine/stop", token=token, method="POST", headers=foreign)
    assert refused[0] == 403


@pytest.mark.promise(69)
async def test_the_stream_passes_the_door(small: Stack) -> None:
    from websockets.asyncio.client import connect

    where = f"ws://localhost:{small.ports['ui']}/ws"
    async with asyncio.timeout(HEALTHY_S), connect(where, open_timeout=None) as line:
        await line.send(json.dumps({"action": "auth", "token": small.token()}))
        await line.send(json.dumps({"action": "subscribe", "topic": "system_status"}))
        while json.loads(await line.recv()).get("topic") != "system_status":
            pass


@pytest.mark.control("C-35")
@pytest.mark.promise(180)
def test_containers_run_as_nobody_on_a_root_that_cannot_be_written(small: Stack) -> None:
    for name in ("hean-api", "hean-ui", "hean-redis"):
        code, told = small.engine.run(
            "podman", "exec", name, "sh", "-c", "id -u; echo x >/x", check=False
        )
        assert code != 0 and "Read-only file system" in told, told
        assert told.split()[0] in ("65532", "999")
        status = small.engine.podman("exec", name, "cat", "/proc/1/status")
        words = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert int(words["CapEff"], 16) == 0 and words["NoNewPrivs"] == "1"
        assert words["Seccomp"] == "2"
        document = json.loads(small.engine.podman("inspect", name))[0]
        assert document["HostConfig"]["Memory"] > 0 and document["HostConfig"]["PidsLimit"] > 0


@pytest.mark.control("C-35")
@pytest.mark.control("C-34")
def test_no_secret_is_in_an_image_or_its_history(small: Stack) -> None:
    texts = [path.read_text().strip() for path in small.secrets.iterdir()]
    words = [text for text in texts if text]  # nobody has filled in a pager yet
    for image in ("localhost/hean", "localhost/hean-ui", "localhost/hean-market-data"):
        told = small.engine.podman("history", "--no-trunc", image)
        told += small.engine.podman("inspect", image)
        assert not any(word in told for word in words)
    environment = small.engine.podman("exec", "hean-api", "env")
    assert not any(word in environment for word in words)


@pytest.mark.promise(184)
def test_what_built_an_image_is_not_in_it(small: Stack) -> None:
    """And what is added to a base is no more than docs/adr/0040 says of it."""
    tools = "cargo rustc cc gcc ld node npm maturin uv"
    bases = {"hean": "python:3.11-slim-bookworm", "hean-market-data": "debian:bookworm-slim"}
    most_mb = {"hean": 550, "hean-market-data": 120}
    for name, base in bases.items():
        found = small.engine.run(
            "podman", "run", "--rm", "--no-healthcheck", "--entrypoint", "sh", f"localhost/{name}",
            "-c", f"for each in {tools}; do command -v $each; done; command -v sh",
        )[1]  # fmt: skip
        assert [line for line in found.splitlines() if line[0] == "/"] == ["/usr/bin/sh"], found
        sizes = [
            int(small.engine.podman("image", "inspect", "--format", "{{.Size}}", image))
            for image in (f"localhost/{name}", f"{HUB}/library/{base}")
        ]
        assert 0 < sizes[0] - sizes[1] < most_mb[name] * 1_000_000, sizes


@pytest.mark.control("C-09")
@pytest.mark.control("C-08")
def test_only_loopback_listens_and_redis_wants_its_password(small: Stack) -> None:
    for port in (small.ports["ui"], small.ports["api"]):
        for table in ("tcp", "tcp6"):
            rows = [line.split() for line in Path("/proc/net", table).read_text().splitlines()]
            listening = [row[1] for row in rows[1:] if row[3] == "0A"]
            ours = [each for each in listening if each.endswith(f":{port:04X}")]
            assert all(each.startswith("0100007F:") for each in ours), ours
    bare = small.engine.run("podman", "exec", "hean-redis", "redis-cli", "ping", check=False)[1]
    assert "NOAUTH" in bare
    context = ssl.create_default_context(cafile=str(small.secrets / "api_certificate"))
    with socket.create_connection(("127.0.0.1", small.ports["api"]), timeout=60) as line:
        context.wrap_socket(line, server_hostname="localhost").close()


@pytest.mark.promise(141)
def test_the_health_script_agrees(small: Stack) -> None:
    """A machine that stalls is honestly not healthy for a moment."""
    asked = ("scripts/health-check.sh", "-v", "--url", f"http://127.0.0.1:{small.ports['ui']}")

    def agrees() -> str:
        code, told = small.engine.run(*asked, check=False)
        return told if code == 0 else ""

    assert "api running healthy" in wait_until(agrees, "health", timeout_s=HEALTHY_S)
    code, told = small.engine.run(
        "scripts/health-check.sh", "--url", "http://127.0.0.1:9", check=False
    )
    assert code == 1 and "does not answer" in told


@pytest.mark.promise(163)
@pytest.mark.promise(167)
def test_full_comes_up_healthy(full: Stack) -> None:
    assert set(full.services()) == set(FULL)
    ticker = full.get("/market-data/api/v1/ticker/BTCUSDT")
    assert ticker[0] == 200 and json.loads(ticker[1])["symbol"] == "BTCUSDT"


@pytest.mark.promise(164)
def test_prometheus_hears_the_engine_through_the_door(full: Stack) -> None:
    url = "http://prometheus:9090/api/v1/query?query=up"

    def hears(*jobs: str) -> bool:
        told = full.engine.podman("exec", "hean-ui", "wget", "-q", "-O", "-", url)
        rows = json.loads(told)["data"]["result"]
        up = {row["metric"]["job"] for row in rows if row["value"][1] == "1"}
        return up >= set(jobs)

    jobs = ("hean-engine", "hean-market-data", "redis", "node", "prometheus")
    full.until(lambda: hears(*jobs), "an answer of all that is asked")


@pytest.mark.promise(146)
def test_readers_are_scaled_and_one_of_them_may_die(full: Stack) -> None:
    scaled = ("docker-compose.scale.yml",)
    full.up("--scale", f"market-data={READERS}", *FULL, files=scaled)
    first, second = full.services()["market-data"]

    def both_answer() -> bool:
        seen = {full.get("/market-data/health/live")[0] for _ in range(6)}
        return seen == {200}

    full.until(both_answer, "an answer of both readers")
    full.engine.podman("kill", first)
    full.until(both_answer, "an answer while one reader is away")
    assert second in full.services()["market-data"]
    assert full.get("/health/live")[0] == 200


@pytest.mark.promise(162)
@pytest.mark.promise(147)
def test_valkey_takes_the_place_of_redis_and_nothing_is_lost(full: Stack, images: Images) -> None:
    if not (VALKEY / "usr/bin/valkey-server").exists():
        pytest.skip("no Valkey: sh scripts/ci/apt_suite.sh bookworm-backports valkey-server")
    images.stand_in("valkey", "valkey/valkey:8-alpine", context=VALKEY)
    token = full.token()
    full.compose("up", "-d", "--wait", "--no-build", "keydb", "api", "ui", files=(KEYDB,))
    said = full.engine.podman("exec", "hean-keydb", "valkey-cli", "ping")
    assert "NOAUTH" in said
    script = (
        "REDISCLI_AUTH=$(sed 's/requirepass //' /run/secrets/redis_auth) valkey-cli info server"
    )
    told = full.engine.podman("exec", "hean-keydb", "sh", "-c", script)
    assert "server_name:valkey" in told
    assert full.token() == token
    assert full.get("/api/health", token=token)[0] == 200


@pytest.mark.promise(182)
def test_what_redis_keeps_outlives_its_container(full: Stack) -> None:
    full.compose("up", "-d", "--wait", "--no-build", "redis")
    assert "OK" in redis_says(full, "set", "kept", "yes")
    before = full.services()["redis"]
    full.compose("rm", "--stop", "--force", "redis")
    assert "redis" not in full.services()
    full.compose("up", "-d", "--wait", "--no-build", "redis")
    assert full.services()["redis"] == before
    assert redis_says(full, "get", "kept").strip() == "yes"


def redis_says(stack: Stack, *words: str) -> str:
    """What Redis answers to who has its password."""
    script = 'REDISCLI_AUTH=$(sed "s/requirepass //" /run/secrets/redis_auth) redis-cli --raw "$@"'
    return stack.engine.podman("exec", "hean-redis", "sh", "-c", script, "sh", *words)


def test_down_leaves_nothing(full: Stack) -> None:
    """What the others used is gone after it."""
    full.down(files=("docker-compose.scale.yml", KEYDB))
    engine: Engine = full.engine
    assert engine.podman("ps", "--all", "--quiet") == ""
    assert full.project not in engine.podman("volume", "ls", "--quiet")
    assert full.project not in engine.podman("network", "ls", "--format", "{{.Name}}")
    with socket.socket() as line:
        assert line.connect_ex(("127.0.0.1", full.ports["ui"])) != 0
    assert os.path.isdir(engine.folder)


@pytest.fixture(scope="module")
def fleet(stack: Stack, images: Images) -> Stack:
    """By name, as the document has it; then the five processes of the profile `hft`. Nothing stands
    in for grafana and kafka-ui.
    """
    watching(images)
    images.kafka()
    stack.compose("up", "-d", "--wait", "--no-build", "kafka", "redis", "prometheus")
    stack.up(*FLEET, "alertmanager", profile="hft")
    return stack


@pytest.mark.promise(145)
@pytest.mark.promise(168)
@pytest.mark.promise(170)
def test_the_fleet_comes_up_healthy_on_kafka(fleet: Stack) -> None:
    assert {*FLEET, "kafka", "redis", "prometheus", "alertmanager"} <= set(fleet.services())
    assert fleet.services()["kafka"] == ["crypto-bot-kafka"]

    def heard(name: str) -> dict[str, float]:
        """Events that each process of the fleet has had, as Prometheus knows."""
        url = f"http://127.0.0.1:9090/api/v1/query?query={name}"
        told = fleet.engine.podman("exec", "hean-prometheus", "wget", "-q", "-O", "-", url)
        rows = json.loads(told)["data"]["result"]
        return {row["metric"]["instance"]: float(row["value"][1]) for row in rows
                if row["metric"]["job"] == "hean-fleet"}  # fmt: skip

    def all_answer() -> bool:
        up = heard("up")
        return len(up) == 5 and set(up.values()) == {1.0}

    fleet.until(all_answer, "an answer of each process, over TLS and with the token")

    def decides() -> bool:
        return heard("hean_events_total").get("execution-service:8003", 0) > 100

    fleet.until(decides, "the market of the recording in the process that trades")


@pytest.mark.control("C-08")
def test_who_has_no_token_is_told_health_and_no_money(fleet: Stack) -> None:
    look = (
        "import ssl, sys, urllib.request as u; "
        "c = ssl.create_default_context(cafile='/run/secrets/fleet_certificate'); "
        "print(u.urlopen('https://execution-service:8003' + sys.argv[1], context=c).read())"
    )
    ask = ("podman", "exec", "crypto-bot-risk-manager", "python", "-c", look)
    assert "degraded" in (told := fleet.engine.run(*ask, "/health")[1]) or "healthy" in told
    code, told = fleet.engine.run(*ask, "/metrics", check=False)
    assert code != 0 and "401" in told and "equity" not in told


def test_the_fleet_goes_down_and_leaves_nothing(fleet: Stack) -> None:
    fleet.down()
    assert fleet.engine.podman("ps", "--all", "--quiet") == ""


@pytest.mark.promise(154)
def test_three_commands_for_development(stack: Stack, images: Images, tmp_path: Path) -> None:
    """As the document has them, in a clone; the images are there."""
    images.development()
    clone = tmp_path / "hean"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    place = {"HEAN_STACK_SECRETS": str(tmp_path / "secrets"),
             "HEAN_STACK_REDIS_PORT": str(free_port())}  # fmt: skip

    def run(*words: str) -> str:
        return stack.engine.run(*words, cwd=clone, **place)[1]

    run("cp", "env.dev.example", ".env.dev")
    run("scripts/deploy.sh", "-e", "development", "up")
    try:
        assert run("scripts/health-check.sh").rstrip().endswith("healthy")
        assert stack.services().keys() == {"ui", "api", "redis"}
        level = stack.engine.podman("exec", "hean-api", "printenv", "LOG_LEVEL")
        assert level == "DEBUG", "the settings of .env.dev"
        assert "curl" in stack.engine.podman("exec", "hean-api", "sh", "-c", "command -v curl")
    finally:
        run("scripts/deploy.sh", "down")
    assert stack.engine.podman("ps", "--all", "--quiet") == ""
