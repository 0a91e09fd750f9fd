# SPDX-License-Identifier: Apache-2.0
"""The stack as somebody runs it who cloned HEAN: secrets by `setup_all.sh`, images by
`docker-build.sh`, services by Docker Compose, from the very files of the repository. What differs
is said here: stand-ins for official images, a wheel and a service that were built outside, because
no image with compilers can be pulled, and names and ports of this run alone.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import secrets
import shutil
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import kafka_server
from containers.composed import BASE, read
from containers.engine import COMMAND_S, COMPOSE, HUB, ROOT, Engine
from fleet.hft_fleet import recorded_market
from free_port import free_port
from market_data.service_process import binary

IMAGES = Path(__file__).parent / "images"
CERTIFICATES = "/etc/ssl/certs"
BUNDLE = f"{CERTIFICATES}/ca-certificates.crt"
VALKEY = ROOT / ".cache/apt/bookworm-backports/root"
HEALTHY_S = 300.0
SMALL = ("ui", "api", "redis")
FULL = (*SMALL, "market-data", "node-exporter", "redis-exporter", "prometheus", "alertmanager")
"""The profile but cadvisor and grafana, for whose images nothing stands in: Debian has neither."""

FLEET = ("ingestion-service", "kalman-filter-service", "garch-volatility-service",
         "risk-manager-service", "execution-service")  # fmt: skip


def mirror() -> str:
    """Where this machine has Debian from."""
    shell = 'eval "$(apt-config shell PARTS Dir::Etc::sourceparts/d)"; printf %s "$PARTS"'
    parts = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True).stdout
    for line in Path(parts, "debian.sources").read_text().splitlines():
        if line.startswith("URIs:"):
            return line.split()[1]
    raise AssertionError(f"no mirror of Debian in {parts}debian.sources")


class Images:
    """Builds what a stack needs, each once."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self._made: set[str] = set()

    def base(self) -> None:
        """debian:bookworm-slim, from Debian's packages."""
        root = self.engine.folder / "base.tar"
        words = ["--variant=minbase", "--include=ca-certificates", "--skip=cleanup/apt/lists"]
        words += ["--dpkgopt=force-unsafe-io"]  # it is thrown away: nothing has to reach a disk
        self.engine.run("mmdebstrap", "-q", *words, "bookworm", str(root), mirror())
        self.engine.podman("import", "-q", str(root), f"{HUB}/library/debian:bookworm-slim")
        root.unlink()

    def stand_in(self, name: str, *tags: str, context: Path = IMAGES, **arguments: str) -> None:
        """Build `images/NAME.Dockerfile` under the names of what it stands in for, if need be."""
        if self._made >= set(tags):
            return
        self._made.update(tags)
        if "base" not in self._made:
            self._made.add("base")
            self.base()
        words = [word for tag in tags for word in ("-t", f"{HUB}/{tag}")]
        words += [w for key, value in arguments.items() for w in ("--build-arg", f"{key}={value}")]
        file = str(IMAGES / f"{name}.Dockerfile")
        self._build(*words, "-f", file, str(context))

    def development(self) -> None:
        """hean:latest-development, as `docker-build.sh --dev` makes it, on the image that is there
        instead of on all of its stages again.
        """
        image = "localhost/hean:latest"
        self._build(
            "--format", "docker", "--target", "development", "-t", f"{image}-development",
            "--build-context", f"run=docker-image://{image}", str(ROOT),
        )  # fmt: skip

    def kafka(self) -> None:
        """apache/kafka, of the jars that the other tests of Kafka have."""
        try:
            jars = kafka_server.jars()
        except kafka_server.NotHad as lack:
            pytest.skip(str(lack))
        context = self.folder / "kafka"
        shutil.copytree(jars, context / "jars")
        for name in ("kafka-start.sh", "kafka-broker-api-versions.sh"):
            shutil.copy(IMAGES / name, context)
        self.stand_in("kafka", "apache/kafka:4.3.1", context=context)

    def _build(self, *words: str) -> None:
        self.engine.podman(
            "build", "-q", "--layers=false", "--pull-never", "--network", "host", *words
        )

    def ours(self) -> None:
        """hean, hean-ui and hean-market-data, by the script that users call."""
        wheel, built = self.folder / "wheel", self.folder / "build"
        make_wheel(wheel)
        place = built / "src/target/release"
        place.mkdir(parents=True)
        shutil.copy(binary(), place / "market-data-service")
        subprocess.run(["strip", "-g", str(place / "market-data-service")], check=False)
        options = "--layers=false --pull-never --network host "
        options += f"-v {CERTIFICATES}:{CERTIFICATES}:ro "
        options += f"--build-arg SSL_CERT_FILE={BUNDLE} --build-context build={built}"
        self.engine.run(
            "scripts/docker-build.sh", "--registry", "localhost", "--wheel", str(wheel), "--pin",
            HEAN_STACK_BUILD_OPTIONS=options,
        )  # fmt: skip


def make_wheel(folder: Path) -> None:
    """The wheel of this source, with the page in it."""
    folder.mkdir(exist_ok=True)
    if given := os.environ.get("HEAN_WHEEL"):
        shutil.copy(given, folder)
        return
    if not (ROOT / "ui/dist/index.html").exists():
        pytest.skip("the page was not built: ./hean setup")
    maturin = Path(sys.executable).with_name("maturin")
    subprocess.run(
        ["sh", "scripts/build_wheel.sh"],
        cwd=ROOT,
        env=os.environ | {"MATURIN": str(maturin), "WHEEL_FOLDER": str(folder)},
        check=True,
        timeout=COMMAND_S,
    )


def write_capture(path: Path, seconds: int) -> None:
    """A market to play: books and trades of one symbol, in the form of `hean data record`."""
    rng = random.Random(7)
    start_ms, price = 1_700_000_000_000, 30_000.0
    topic, book = "orderbook.50.BTCUSDT", "publicTrade.BTCUSDT"
    with gzip.open(path, "wt") as file:
        for step in range(seconds * 2):
            ms = start_ms + step * 500
            price += rng.choice((-0.5, 0.0, 0.5))
            levels = {
                "b": [[f"{price - 0.5 * i:.1f}", "1.5"] for i in range(1, 6)],
                "a": [[f"{price + 0.5 * i:.1f}", "1.5"] for i in range(1, 6)],
            }
            said: dict[str, Any] = {"topic": topic, "type": "snapshot", "ts": ms, "cts": ms}
            said["data"] = {"s": "BTCUSDT", "u": step + 1, "seq": step + 1, **levels}
            file.write(f"{ms * 1_000_000} {json.dumps(said)}\n")
            trade = {"T": ms, "s": "BTCUSDT", "S": "Buy", "v": "0.010", "p": f"{price:.1f}"}
            trade |= {"i": f"t{step}", "BT": False}
            told = {"topic": book, "type": "snapshot", "ts": ms, "data": [trade]}
            file.write(f"{ms * 1_000_000 + 1} {json.dumps(told)}\n")


class Stack:
    """One project of Docker Compose on an engine. *files*: of the repository."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.project = f"hean{secrets.token_hex(3)}"
        self.ports = {"ui": free_port(), "tls": free_port(), "api": free_port()}
        self.secrets = folder / "secrets"
        engine.env |= {
            "HEAN_STACK_SECRETS": str(self.secrets),
            "HEAN_STACK_REGISTRY": "localhost/",
            "HEAN_STACK_UI_PORT": str(self.ports["ui"]),
            "HEAN_STACK_TLS_PORT": str(self.ports["tls"]),
            "HEAN_API_PORT": str(self.ports["api"]),
            "COMPOSE_PROJECT_NAME": self.project,
            "COMPOSE_DISABLE_ENV_FILE": "true",
        }
        self._play = self._playing()

    def _playing(self) -> Path:
        """No exchange is reachable: who hears one plays a recording."""
        capture = self.folder / "capture.jsonl.gz"
        write_capture(capture, 1_800)
        capture.chmod(0o644)
        tape = recorded_market(self.folder)
        tape.chmod(0o644)
        ingestion = read(BASE)["services"]["ingestion-service"]["command"]
        said = {
            "services": {
                "ingestion-service": {
                    "command": [*ingestion, "--play=/capture/tape.jsonl.gz", "--speed=1"],
                    "volumes": [f"{tape}:/capture/tape.jsonl.gz:ro"],
                },
                "market-data": {
                    "command": ["--symbols", "BTCUSDT", "--replay", "/capture/capture.jsonl.gz"],
                    "volumes": [f"{capture}:/capture/capture.jsonl.gz:ro"],
                },
            }
        }
        file = self.folder / "replay.json"
        file.write_text(json.dumps(said))
        return file

    def compose(self, *words: str, files: tuple[str, ...] = (), check: bool = True) -> str:
        """Docker Compose with the base, *files* beside it, and the recording."""
        names = ("docker-compose.yml", *files, str(self._play))
        chosen = [word for name in names for word in ("-f", name)]
        given = ["--project-directory", str(ROOT), *chosen, *words]
        return self.engine.run(str(COMPOSE), *given, check=check)[1]

    def up(self, *words: str, files: tuple[str, ...] = (), profile: str = "full") -> None:
        """Start, and wait until all is healthy. *words*: options, and services; none is all."""
        wait = ["--wait", "--wait-timeout", str(int(HEALTHY_S)), "--no-build"]
        try:
            self.compose("--profile", profile, "up", "-d", *wait, *words, files=files)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.engine.states()}\n{self.logs()}") from None

    def logs(self) -> str:
        """The end of what every service said."""
        return self.compose("--profile", "*", "logs", "--tail", "25", check=False)

    def down(self, files: tuple[str, ...] = ()) -> None:
        """Stop, and remove what was made."""
        self.compose("--profile", "*", "down", "-v", "--timeout", "20", files=files)

    def services(self) -> dict[str, list[str]]:
        """Containers that are healthy, by service."""
        found: dict[str, list[str]] = {}
        for row in self.engine.containers():
            if row["Status"] == "healthy":
                name = row["Labels"]["com.docker.compose.service"]
                found.setdefault(name, []).append(row["Names"][0])
        return found

    def token(self) -> str:
        """What the API wrote at its first start."""
        name = self.services()["api"][0]
        return self.engine.podman("exec", name, "cat", "/app/data/admin.token")

    def get(
        self, path: str, *, token: str = "", method: str = "GET", tls: bool = False,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, bytes, dict[str, str]]:  # fmt: skip
        """Ask through the door. *Returns*: status, body, headers by lower name."""
        port = self.ports["tls" if tls else "ui"]
        url = f"{'https' if tls else 'http'}://localhost:{port}{path}"
        shown = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(url, headers=shown | (headers or {}), method=method)
        trusted = None
        if tls:
            trusted = ssl.create_default_context(cafile=str(self.secrets / "ui_certificate"))
        try:
            with urllib.request.urlopen(request, timeout=60, context=trusted) as answer:
                told = {key.lower(): value for key, value in answer.headers.items()}
                return answer.status, answer.read(), told
        except urllib.error.HTTPError as error:
            return error.code, error.read(), {k.lower(): v for k, v in error.headers.items()}

    def until(self, condition: Any, what: str) -> None:
        """Wait for something."""
        deadline = time.monotonic() + HEALTHY_S
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not happen\n{self.logs()}"
            time.sleep(0.2)
