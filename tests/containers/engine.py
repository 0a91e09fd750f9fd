# SPDX-License-Identifier: Apache-2.0
"""A container engine for tests: podman with a store of its own, as a service that Docker Compose
speaks to. It needs root and nothing of the machine's own podman; when it is closed, no container,
process, mount or image of it is left, Ctrl-C included. Images come from Debian's packages, for no
image registry need be reachable: what stands in for an official image is named by its Dockerfile
in `images/`.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / ".cache" / "containers"
"""On the disk: images are larger than what a disk in memory may hold."""
HUB = ".".join(("docker", "io"))  # noqa: FLY002 - no file names a registry (tests/tidy_rules.py)
"""What short names of images stand for."""
COMPOSE = ROOT / ".cache/apt/trixie/root/usr/libexec/docker/cli-plugins/docker-compose"
PROGRAMS = ("podman", "buildah", "runc", "mmdebstrap", "iptables")
COMMAND_S = 600.0  # of one command; the machine is everybody's
PROBE_S = 1.0
SETTINGS = """[containers]
default_ulimits = ["nofile=4096:4096", "nproc=8192:8192"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
"""
STORAGE = """[storage]
driver = "overlay"
graphroot = "{folder}/store"
runroot = "{folder}/run"
"""


def missing() -> str | None:
    """Why no container can run here; `None` where they can."""
    if os.geteuid() != 0:
        return "containers are tested as root, with podman"
    lacking = [name for name in PROGRAMS if shutil.which(name) is None]
    if lacking:
        return f"no {' and no '.join(lacking)} to test containers with: apt-get install them"
    if not COMPOSE.exists():
        return "no Docker Compose: sh scripts/ci/apt_suite.sh trixie docker-compose"
    return None


class Engine:
    """Use it as a context. *env*: in which its programs, and Docker Compose, have to run."""

    def __init__(self) -> None:
        PLACE.mkdir(parents=True, exist_ok=True)
        _sweep()
        self.folder = Path(tempfile.mkdtemp(prefix="engine-", dir=PLACE))
        self.socket = Path(tempfile.mkdtemp(prefix="hean", dir="/run")) / "podman.sock"
        (self.folder / "owner").write_text(str(os.getpid()))
        files = {"containers.conf": SETTINGS, "storage.conf": STORAGE}
        for name, text in files.items():
            (self.folder / name).write_text(text.format(folder=self.folder))
        (self.folder / "registries.conf").write_text(f'unqualified-search-registries = ["{HUB}"]\n')
        (self.folder / "networks").mkdir()
        (self.folder / "tmp").mkdir()
        (self.folder / "config.json").write_text("{}")  # of DOCKER_CONFIG; podman run asks for it
        self.env = os.environ | {
            "CONTAINERS_CONF": f"{self.folder}/containers.conf",
            "CONTAINERS_STORAGE_CONF": f"{self.folder}/storage.conf",
            "CONTAINERS_REGISTRIES_CONF": f"{self.folder}/registries.conf",
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(self.folder),
            "TMPDIR": f"{self.folder}/tmp",  # roots and layers: no disk in memory takes them
            "HEAN_STACK_ENGINE": "podman",
            "HEAN_STACK_COMPOSE": str(COMPOSE),
        }
        self._service: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()
        self._prober = threading.Thread(target=self._probe, name="health checks", daemon=True)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        self._service = subprocess.Popen(
            ["podman", "system", "service", "-t", "0", self.env["DOCKER_HOST"]],
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "service.log").open("wb"),
            start_new_session=True,
        )
        until = time.monotonic() + COMMAND_S
        while not self._answers():
            assert self._service.poll() is None, (self.folder / "service.log").read_text()
            assert time.monotonic() < until, "podman does not answer"
            self._ended.wait(0.1)
        self._prober.start()

    def _answers(self) -> bool:
        with suppress(OSError):
            return self.ask("GET", "/_ping")[0] == 200
        return False

    def run(
        self, *command: str, check: bool = True, limit_s: float = COMMAND_S, cwd: Path = ROOT,
        **variables: str,
    ) -> tuple[int, str]:  # fmt: skip
        """Run a program against this engine. *Returns*: exit code, and all that it said. Whoever
        interrupts ends it first, with all that it started.
        """
        with subprocess.Popen(
            command,
            cwd=cwd,
            env=self.env | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                said, _ = process.communicate(timeout=limit_s)
            except BaseException:
                _end_group(process)
                raise
        if check:
            assert process.returncode == 0, f"{' '.join(command)}\n{said[-6_000:]}"
        return process.returncode, said

    def podman(self, *words: str, limit_s: float = COMMAND_S) -> str:
        """What a command of podman says."""
        return self.run("podman", *words, limit_s=limit_s)[1].strip()

    def ask(self, method: str, path: str) -> tuple[int, Any]:
        """Status and document of an answer of its API."""
        line = _UnixConnection(self.socket)
        try:
            line.request(method, path)
            answer = line.getresponse()
            body = answer.read()
        finally:
            line.close()
        with suppress(ValueError):
            return answer.status, json.loads(body)
        return answer.status, body.decode(errors="replace")

    def containers(self) -> list[dict[str, Any]]:
        """Every container that runs: `Names`, `Labels`, and its health as `Status`."""
        status, rows = self.ask("GET", "/v4.0.0/libpod/containers/json")
        assert status == 200, rows
        return list(rows or [])

    def states(self) -> dict[str, str]:
        """Health of every container that runs, by name."""
        return {row["Names"][0]: row["Status"] for row in self.containers()}

    def _probe(self) -> None:
        """Run health checks: podman leaves that to systemd, which need not be there."""
        while not self._ended.wait(PROBE_S):
            with suppress(OSError, http.client.HTTPException, AssertionError):
                for name, state in self.states().items():
                    if state in ("starting", "unhealthy"):
                        self.probe(name)

    def probe(self, name: str) -> str:
        """Run the health check of a container now. *Returns*: its verdict."""
        _, told = self.ask("GET", f"/v4.0.0/libpod/containers/{name}/healthcheck")
        return str(told["Status"]) if "Status" in told else str(told)

    def close(self) -> None:
        """Leave nothing."""
        self._ended.set()
        if self._prober.is_alive():
            self._prober.join(30)
        with suppress(AssertionError, subprocess.TimeoutExpired, OSError):
            self.run("podman", "rm", "--all", "--force", "--time", "0", check=False)
            self.run("podman", "network", "prune", "--force", check=False)
        if self._service is not None:
            _end_group(self._service)
        shutil.rmtree(self.socket.parent, ignore_errors=True)
        _clear(self.folder)

    def left(self) -> list[str]:
        """What there still is of it: processes, mounts, folders."""
        found = [f"process {pid}" for pid in _inside(str(self.folder))]
        found += [f"mount {place}" for place in _mounts(str(self.folder))]
        return found + [str(each) for each in (self.folder, self.socket) if each.exists()]


def _clear(folder: Path) -> None:
    """End and remove all that belongs to a store."""
    until = time.monotonic() + COMMAND_S
    while (pids := list(_inside(str(folder)))) and time.monotonic() < until:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    for place in _mounts(str(folder)):
        subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)


def _sweep() -> None:
    """Remove what a run left that was killed: nobody shall take it for fresh. One that names nobody
    may be about to, or to go.
    """
    for folder in PLACE.glob("engine-*"):
        try:
            os.kill(int((folder / "owner").read_text()), 0)
        except (ProcessLookupError, ValueError):
            _clear(folder)
        except FileNotFoundError:
            with suppress(FileNotFoundError):
                if time.time() - folder.stat().st_mtime > COMMAND_S:
                    _clear(folder)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=120)
        self._path = path

    def connect(self) -> None:
        """Over the socket of the file."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(120)
        self.sock.connect(str(self._path))


def _end_group(process: subprocess.Popen[Any]) -> None:
    """End a program and what it started; first politely."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
            return


def _inside(folder: str) -> Iterator[int]:
    """Processes that a store belongs to: their root is a layer of it, or they name it."""
    own = os.getpid()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == own:
            continue
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            is_ours = any(folder.encode() in word for word in words) and b"conmon" in words[0]
            roots = (line for line in (entry / "mountinfo").read_text().splitlines())
            is_ours |= any(line.split()[4] == "/" and folder in line for line in roots)
            if is_ours:
                yield int(entry.name)


def _mounts(folder: str) -> list[str]:
    """Mount points below a folder, the deepest first."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    found = [line.split()[1] for line in lines]
    return sorted((each for each in found if each.startswith(f"{folder}/")), reverse=True)


def require_engine() -> None:
    """Skip, with the reason, where no container can run."""
    if why := missing():
        pytest.skip(why)
