# SPDX-License-Identifier: Apache-2.0
"""The scripts of the stack without an engine: their form, their options, what they refuse, and what
they would call. Engine and Compose are two words of a shell that say what they were told.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from hean.config import load

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ["setup_all.sh", "deploy.sh", "docker-build.sh", "health-check.sh"]
ALL = [*(f"scripts/{name}" for name in SCRIPTS), "scripts/stack.sh", "deploy/nginx/start.sh"]


def said(*command: str, code: int = 0, cwd: Path = ROOT, **variables: str) -> str:
    result = subprocess.run(
        command, cwd=cwd, env=os.environ | variables, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert result.returncode == code, f"{command}\n{result.stdout}{result.stderr}"
    return result.stdout + result.stderr


@pytest.fixture
def stage(tmp_path: Path) -> dict[str, str]:
    """Variables: secrets in a folder of the test, and programs that only tell their words."""
    for name in ("engine", "compose"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "{name} $*"\n')
        program.chmod(0o755)
    return {
        "HEAN_STACK_SECRETS": str(tmp_path / "secrets"),
        "HEAN_STACK_ENGINE": str(tmp_path / "engine"),
        "HEAN_STACK_COMPOSE": str(tmp_path / "compose"),
        "HEAN_STACK_BUILD_OPTIONS": "",
    }


@pytest.fixture
def ready(stage: dict[str, str]) -> dict[str, str]:
    """The same, with secrets."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make secrets with: apt-get install openssl")
    said("scripts/setup_all.sh", "--secrets-only", **stage)
    return stage


@pytest.mark.parametrize("path", ALL)
def test_each_parses_and_passes_its_linter(path: str) -> None:
    said("sh", "-n", path)
    if shutil.which("bash"):
        said("bash", "-n", path)
    if shutil.which("shellcheck") is None:
        pytest.skip("no shellcheck: apt-get install shellcheck")
    said("shellcheck", "-x", path)


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.promise(136)
@pytest.mark.promise(139)
@pytest.mark.promise(140)
@pytest.mark.promise(141)
def test_each_says_its_options_and_exit_codes(name: str, stage: dict[str, str]) -> None:
    told = said(f"scripts/{name}", "--help", **stage)
    assert "Usage: " in told and "Exit codes: 0 " in told
    assert all(len(line) <= 100 for line in told.splitlines())
    assert "--help" in said(f"scripts/{name}", "--what", code=2, **stage)


@pytest.mark.control("C-10")
def test_secrets_are_random_and_closed_and_kept(ready: dict[str, str]) -> None:
    folder = Path(ready["HEAN_STACK_SECRETS"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    first = {path.name: path.read_text() for path in folder.iterdir()}
    assert {"secret_key", "redis_auth", "api_certificate", "api_key", "ui_key"} <= first.keys()
    assert len(first["secret_key"].strip()) == 64
    password = first["redis_auth"].removeprefix("requirepass ").strip()
    assert len(password) == 64 and password != first["secret_key"].strip()
    assert first["redis_url"] == f"redis://:{password}@redis:6379"
    for name in ("secret_key", "api_key", "ui_key", "redis_url"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    said("scripts/setup_all.sh", "--secrets-only", **ready)
    assert {path.name: path.read_text() for path in folder.iterdir()} == first


def test_nothing_starts_without_secrets(stage: dict[str, str]) -> None:
    told = said("scripts/deploy.sh", "-e", "production", "up", code=3, **stage)
    assert "setup_all.sh" in told


@pytest.mark.control("C-10")
@pytest.mark.parametrize("weak", ["admin", "admin123", "changeme", "password"])
def test_a_weak_secret_is_refused(weak: str, ready: dict[str, str]) -> None:
    place = Path(ready["HEAN_STACK_SECRETS"]) / "secret_key"
    place.write_text(weak)
    told = said("scripts/deploy.sh", "-e", "production", "up", code=4, **ready)
    assert "too short" in told and weak not in told


def test_open_secrets_are_refused(ready: dict[str, str]) -> None:
    Path(ready["HEAN_STACK_SECRETS"]).chmod(0o755)
    assert "open to others" in said("scripts/deploy.sh", "up", code=4, **ready)


@pytest.mark.promise(139)
@pytest.mark.promise(172)
def test_deploy_says_to_compose_what_it_was_told(ready: dict[str, str]) -> None:
    told = said(
        "scripts/deploy.sh", "-e", "production", "--profile", "full", "--keydb", "up", **ready
    )
    for name in ("docker-compose.prod.yml", "docker-compose.keydb.yml"):
        assert f"-f {name}" in told
    assert "--profile full up -d --wait" in told
    told = said("scripts/deploy.sh", "logs", "execution-service", **ready)
    assert "-f docker-compose.dev.yml" in told and told.strip().endswith("execution-service")
    told = said("scripts/deploy.sh", "up", "--scale", "market-data=3", **ready)
    assert "docker-compose.scale.yml" in told and "--scale market-data=3" in told
    for once in ("execution-service", "api", "kalman-filter-service"):
        refused = said("scripts/deploy.sh", "up", "--scale", f"{once}=3", code=4, **ready)
        assert "exists once" in refused


def test_deploy_deletes_only_what_somebody_typed(ready: dict[str, str]) -> None:
    assert "nothing was deleted" in said("scripts/deploy.sh", "down", "-v", code=4, **ready)
    assert "down -v" not in said("scripts/deploy.sh", "down", **ready)


@pytest.mark.parametrize("words", [
    ["-e", "staging", "up"], ["up", "--scale", "x"], ["fly"], [], ["down", "--all"],
])  # fmt: skip
def test_deploy_refuses_what_it_does_not_know(words: list[str], stage: dict[str, str]) -> None:
    assert "--help" in said("scripts/deploy.sh", *words, code=2, **stage)


@pytest.mark.promise(154)
def test_development_takes_three_commands(stage: dict[str, str], tmp_path: Path) -> None:
    """In a copy, for they write where they stand: no secret and no image is there, and the first
    command of the stack makes both. The same for real is in test_stack.py.
    """
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make secrets with: apt-get install openssl")
    copy = tmp_path / "hean"
    shutil.copytree(ROOT / "scripts", copy / "scripts")
    for name in ("env.dev.example", ".env.example"):
        shutil.copy(ROOT / name, copy)
    engine = Path(stage["HEAN_STACK_ENGINE"])
    engine.write_text('#!/bin/sh\necho "engine $*"\n[ "$1" != image ]\n')
    told = said(
        "sh", "-ec", "cp env.dev.example .env.dev; scripts/deploy.sh -e development up",
        cwd=copy, **stage,
    )  # fmt: skip
    assert (Path(stage["HEAN_STACK_SECRETS"]) / "fleet_token").exists()
    assert "--target development" in told and "build -t hean-ui:latest" in told
    (up,) = (line for line in told.splitlines() if line.startswith("compose "))
    assert "--env-file .env --env-file .env.dev -f docker-compose.yml" in up
    assert up.endswith("up -d --wait --no-build")
    engine.write_text('#!/bin/sh\necho "engine $*"\n')
    told = said("scripts/deploy.sh", "up", cwd=copy, **stage)
    assert "build" not in told.replace("--no-build", ""), "what is there is not built"
    settings = load({}, {}, copy / ".env.dev")
    assert settings.dry_run and not settings.warnings and settings.log_level == "DEBUG"


@pytest.mark.promise(140)
@pytest.mark.promise(152)
def test_images_are_named_for_their_registry(stage: dict[str, str], tmp_path: Path) -> None:
    told = said(
        "scripts/docker-build.sh", "--registry", "desk.example", "--version", "v1.0.0", **stage
    )
    assert "build -t desk.example/hean:v1.0.0" in told
    assert "tag desk.example/hean:v1.0.0 desk.example/hft/execution:v1.0.0" in told
    assert "engine push" not in told
    told = said("scripts/docker-build.sh", **stage)
    assert "tag hean:latest crypto-bot-execution:latest" in told
    told = said("scripts/docker-build.sh", "--registry", "desk.example", "--push", **stage)
    assert "push desk.example/hft/kalman-filter:latest" in told
    said("scripts/docker-build.sh", "--push", code=2, **stage)
    said("scripts/docker-build.sh", "--wheel", str(tmp_path), code=3, **stage)


@pytest.mark.control("C-35")
def test_bases_are_pinned_by_what_the_engine_has_of_them(stage: dict[str, str]) -> None:
    """What it does with them is in test_stack.py, where every image is built so."""
    engine, digest = Path(stage["HEAN_STACK_ENGINE"]), "sha256:" + "a1" * 32
    named = f'echo "${{5%:*}}@{digest}"'
    engine.write_text(
        f'#!/bin/sh\nif [ "$2" = inspect ]; then {named}; else echo "engine $*"; fi\n'
    )
    told = said("scripts/docker-build.sh", "--pin", **stage)
    for name in ("PYTHON_IMAGE=python", "NODE_IMAGE=node", "RUST_IMAGE=rust", "NGINX_IMAGE=nginx"):
        assert f"docker-build.sh: {name}@{digest}" in told
        assert f"--build-arg {name}@{digest}" in told
    assert f"--build-arg DEBIAN_IMAGE=debian@{digest} -f market-data-service" in told
    engine.write_text('#!/bin/sh\necho "engine $*"\n')
    assert "no digest" in said("scripts/docker-build.sh", "--pin", code=3, **stage)
