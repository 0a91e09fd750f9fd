# SPDX-License-Identifier: Apache-2.0
"""The files of the stack, without starting anything: their schema, their linters, and what must be
true of every service (RELIABILITY C-08 to C-10, C-35). `test_stack.py` runs them.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from containers.composed import BASE, FILES, ROOT, config, ports, read
from hean.config import load
from hean.topology import read_table

SERVICES: dict[str, dict[str, Any]] = read(BASE)["services"]
KEYDB: dict[str, Any] = read(ROOT / "docker-compose.keydb.yml")["services"]["keydb"]
EVERY = {**SERVICES, "keydb": KEYDB}
DOCKERFILES = ["Dockerfile", "deploy/nginx/Dockerfile", "market-data-service/Dockerfile"]
STAND_INS = sorted((Path(__file__).parent / "images").glob("*.Dockerfile"))
WRITES = {"kafka", "kafka-ui"}
"""Images of others that write where they stand; all else has a read-only root."""
LOOPBACK = re.compile(r"127\.0\.0\.1:(\$\{\w+:-\d+\}|\d+):\d+")
TAGGED = re.compile(r"[a-z0-9_/-]+(:v?\d[\w.-]*|:bookworm-slim|@sha256:[0-9a-f]{64})")
DEFAULTS = re.compile(r"\b(admin123|changeme|password123|admin/admin)\b", re.IGNORECASE)


def tool(name: str) -> str:
    """A program of this environment."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"no {name}: ./hean setup containers")
    return found


def said(*command: str, code: int = 0, **more: Any) -> str:
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300, **more
    )
    assert result.returncode == code, f"{command}\n{result.stdout}{result.stderr}"
    return result.stdout + result.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@pytest.mark.promise(143)
def test_each_file_has_the_form_of_compose_files(path: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps(read(path)))
    check = tool("check-jsonschema")
    said(check, "--builtin-schema", "vendor.compose-spec", str(plain))


def test_the_schema_finds_a_misspelt_key(tmp_path: Path) -> None:
    document = read(BASE)
    document["services"]["api"]["heathcheck"] = document["services"]["api"].pop("healthcheck")
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps(document))
    check = tool("check-jsonschema")
    assert "heathcheck" in said(
        check, "--builtin-schema", "vendor.compose-spec", str(plain), code=1
    )


def files(*overlays: str) -> list[str]:
    """The options that name them."""
    names = ["docker-compose.yml", *(f"docker-compose.{name}.yml" for name in overlays)]
    return [word for name in names for word in ("-f", name)]


@pytest.mark.promise(144)
def test_profiles_add_to_what_is_always_there() -> None:
    assert set(config()["services"]) == {"ui", "api", "redis"}
    full = {"market-data", "node-exporter", "redis-exporter", "cadvisor", "prometheus"}
    full |= {"alertmanager", "grafana"}
    assert set(config("--profile", "full")["services"]) == {"ui", "api", "redis"} | full
    assert set(config("--profile", "kafka")["services"]) == {"ui", "api", "redis", "kafka"}
    fleet = {name for name in SERVICES if name.endswith("-service")}
    assert len(fleet) == 5
    fleet |= {"kafka", "kafka-ui", "alertmanager"}
    assert set(config("--profile", "hft")["services"]) == {"ui", "api", "redis"} | fleet


@pytest.mark.promise(143)
def test_overlays_fit_each_other() -> None:
    for environment, cache in product(("dev", "prod"), ((), ("keydb",))):
        found = config(*files(environment, *cache), "--profile", "*")["services"]
        assert found["api"]["environment"]["HEAN_CONFIG"].endswith(
            {"dev": "development.toml", "prod": "production.toml"}[environment]
        )
    whole = config("-f", "docker-compose.full-stack.yml")["services"]
    assert {"keydb", "market-data", "api", "ui", "redis-exporter"} <= set(whole)
    assert "redis" not in whole
    assert list(whole["api"]["depends_on"]) == ["keydb"]
    assert whole["api"]["environment"]["REDIS_URL_FILE"] == "/run/secrets/keydb_url"


def test_valkey_stands_behind_the_name_of_keydb() -> None:
    found = config(*files("keydb"))["services"]["keydb"]
    assert found["image"] == "valkey/valkey:8-alpine"
    assert found["command"] == ["valkey-server", "/etc/hean/keydb.conf"]


@pytest.mark.promise(162)
def test_a_scaled_service_has_no_name_and_no_port_of_this_machine() -> None:
    found = config(*files("dev", "scale"), "--profile", "full")["services"]
    assert "container_name" not in found["market-data"]
    assert not found["market-data"].get("ports")
    for once in ("api", "ui", "redis"):
        assert found[once]["container_name"] == f"hean-{once}"


@pytest.mark.control("C-09")
@pytest.mark.promise(179)
def test_only_page_and_api_are_published_and_to_this_machine_alone() -> None:
    assert {name for name, service in EVERY.items() if ports(service)} == {"ui", "api"}
    for path in FILES:
        for name, service in (read(path).get("services") or {}).items():
            for port in ports(service):
                if path.name == "docker-compose.prod.yml" and name == "ui":
                    assert port.startswith("${HEAN_STACK_BIND:-127.0.0.1}:") and port.endswith(
                        ":443"
                    )
                else:
                    assert LOOPBACK.fullmatch(port), (path.name, name, port)
    prod = config(*files("prod"), "--profile", "*")["services"]
    published = {name: each["ports"] for name, each in prod.items() if each.get("ports")}
    assert list(published) == ["ui"]
    assert [each["target"] for each in published["ui"]] == [443]


@pytest.mark.parametrize("name", sorted(EVERY))
@pytest.mark.control("C-35")
@pytest.mark.promise(180)
def test_each_service_is_held_small(name: str) -> None:
    service = EVERY[name]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service.get("read_only") is (None if name in WRITES else True)
    assert {"privileged", "network_mode", "pid", "ipc", "cap_add", "devices"}.isdisjoint(service)
    assert "docker.sock" not in json.dumps(service)
    assert name == "kafka-ui" or not str(service["user"]).startswith(("0", "root"))
    limits = service["deploy"]["resources"]["limits"]
    assert {"cpus", "memory", "pids"} <= limits.keys()
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


@pytest.mark.parametrize("name", sorted(EVERY))
@pytest.mark.promise(183)
def test_each_log_is_cut_at_ten_megabytes_three_times(name: str) -> None:
    assert EVERY[name]["logging"] == {
        "driver": "json-file",
        "options": {"max-size": "10m", "max-file": "3"},
    }


@pytest.mark.promise(181)
def test_limits_are_those_that_were_promised() -> None:
    def limit(service: dict[str, Any]) -> tuple[float, int]:
        found = service["deploy"]["resources"]["limits"]
        return float(found["cpus"]), int(found["memory"]) >> 20

    base = config("--profile", "*")["services"]
    assert limit(base["api"]) == (2.0, 2048) and limit(base["ui"]) == (0.5, 512)
    assert limit(base["redis"]) == (1.0, 512)
    fleet = {
        "ingestion": (0.5, 512), "kalman-filter": (1.0, 1024), "garch-volatility": (1.5, 1024),
        "execution": (2.0, 1024), "risk-manager": (1.5, 1024),
    }  # fmt: skip
    for name, wanted in fleet.items():
        assert limit(base[f"{name}-service"]) == wanted
    for environment, cores, megabytes in (("dev", 3.0, 4096), ("prod", 8.0, 12_288)):
        found = config(*files(environment), "--profile", "*")["services"]
        sums = [limit(found[f"{name}-service"]) for name in fleet]
        assert (sum(c for c, _ in sums), sum(m for _, m in sums)) == (cores, megabytes)


def word(service: dict[str, Any], name: str) -> str:
    """What a service says to an option."""
    (found,) = (each for each in service["command"] if each.startswith(f"--{name}="))
    return str(found.partition("=")[2])


@pytest.mark.control("C-08")
def test_the_fleet_is_looked_at_over_tls_and_with_a_token() -> None:
    """In compose file and manifests, by those who ask, too."""
    for name in read_table(ROOT / "deploy/hft.toml").process:
        service = SERVICES[f"{name}-service"]
        manifest = (ROOT / f"deploy/k8s/{name}.yaml").read_text()
        for option in (
            "public",
            "certificate=/run/secrets/fleet_certificate",
            "key-file=/run/secrets/fleet_key",
            "token-file=/run/secrets/fleet_token",
        ):
            assert f"--{option}" in service["command"] and f"- --{option}\n" in manifest
        assert service["healthcheck"]["test"][-1].startswith("https://")
        assert "scheme: HTTPS" in manifest and '"https://127.0.0.1' in manifest
    jobs = yaml.safe_load((ROOT / "deploy/monitoring/prometheus/prometheus.yml").read_text())
    asked = {job["job_name"]: job for job in jobs["scrape_configs"]}["hean-fleet-tls"]
    assert asked["scheme"] == "https" and asked["tls_config"].keys() == {"ca_file"}
    (group,) = yaml.safe_load(
        (ROOT / "deploy/monitoring/prometheus/targets/fleet-tls.yml").read_text()
    )
    assert group["labels"] == {"job": "hean-fleet"}
    assert set(group["targets"]) == {
        f"{name}:{word(SERVICES[name], 'port')}" for name in SERVICES if name.endswith("-service")
    }


@pytest.mark.promise(170)
def test_names_and_ports_of_the_fleet() -> None:
    wanted = {"ingestion": 8005, "kalman-filter": 8001, "garch-volatility": 8002}
    wanted |= {"execution": 8003, "risk-manager": 8004}
    dev = read(ROOT / "docker-compose.dev.yml")["services"]
    for name, port in wanted.items():
        service = SERVICES[f"{name}-service"]
        assert service["container_name"] == f"crypto-bot-{name}"
        assert ports(dev[f"{name}-service"])[0].startswith(f"127.0.0.1:{port}:")
        assert word(service, "process") == name
        assert str(ports(dev[f"{name}-service"])[0]).endswith(f":{word(service, 'port')}")


def test_the_fleet_is_that_of_the_deployment_table() -> None:
    """In compose file and manifests: its processes, each on the port of the table (ingestion's is
    published on that), and settings that can be read.
    """
    table = read_table(ROOT / "deploy/hft.toml")
    fleet = [each for name, each in SERVICES.items() if name.endswith("-service")]
    services = {word(each, "process"): each for each in fleet}
    assert set(services) == set(table.process)
    dev = read(ROOT / "docker-compose.dev.yml")["services"]
    for name, process in table.process.items():
        assert str(ports(dev[f"{name}-service"])[0]).split(":")[1] == str(process.port)
        manifest = (ROOT / f"deploy/k8s/{name}.yaml").read_text()
        assert f"--process={name}" in manifest
        assert f"--port={word(services[name], 'port')}" in manifest
    settings = load({}, {}, None, ROOT / "deploy/settings/fleet.toml")
    assert settings.strategy.name == "pairs" and len(settings.symbols) == 2


@pytest.mark.parametrize("name", ["default", "development", "production"])
def test_settings_of_containers_can_be_read_and_are_on_paper(name: str) -> None:
    settings = load({}, {}, None, ROOT / f"deploy/settings/{name}.toml")
    assert settings.dry_run and not settings.live_confirm and not settings.warnings


@pytest.mark.control("C-10")
def test_no_password_stands_in_a_file() -> None:
    texts = [*FILES, ROOT / "keydb.conf", ROOT / "deploy/redis/redis.conf"]
    texts += (ROOT / "deploy").rglob("*.yaml")
    for path in texts:
        text = path.read_text()
        assert not DEFAULTS.search(text), path
        assert not re.search(r"^\s*requirepass\s", text, re.MULTILINE), path
    for name, service in EVERY.items():
        for key, value in (service.get("environment") or {}).items():
            is_secret = re.search(r"PASSWORD|SECRET|TOKEN|_KEY$", key)
            assert not is_secret or key.endswith(("_FILE", "__FILE")), (name, key, value)
            assert key != "REDIS_URL", name


@pytest.mark.promise(142)
def test_keydb_conf_keeps_what_was_promised() -> None:
    text = (ROOT / "keydb.conf").read_text()
    for line in ("maxmemory 2gb", "appendonly yes", "include /run/secrets/redis_auth"):
        assert re.search(f"^{line}$", text, re.MULTILINE)
    assert re.search(r"^save \d+ \d+$", text, re.MULTILINE)
    assert "--server-threads 4" in (ROOT / "docker-compose.keydb.yml").read_text()


@pytest.mark.parametrize("name", DOCKERFILES)
@pytest.mark.control("C-35")
def test_dockerfiles_pass_their_linter_and_end_as_nobody(name: str) -> None:
    said(tool("hadolint"), "--ignore", "DL3008", "--ignore", "DL3006", name)
    text = (ROOT / name).read_text()
    users = re.findall(r"^USER (.+)$", text, re.MULTILINE)
    assert users and users[-1] in ("${HEAN_UID}", "65532")
    assert "HEALTHCHECK" in text
    assert not re.search(r"^(ARG|ENV) .*(SECRET|PASSWORD|TOKEN)", text, re.MULTILINE)


@pytest.mark.parametrize("name", DOCKERFILES)
@pytest.mark.control("C-35")
def test_every_base_has_a_version_and_takes_a_digest(name: str) -> None:
    """`docker-build.sh --pin` names them by digest; which one, only a registry knows."""
    text = (ROOT / name).read_text()
    bases = dict(re.findall(r"^ARG (\w+_IMAGE)=(\S+)$", text, re.MULTILINE))
    assert all(TAGGED.fullmatch(image) for image in bases.values()), bases
    stages = re.findall(r" AS (\w+)$", text, re.MULTILINE)
    for base in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
        assert base in {"scratch", *stages, *(f"${{{each}}}" for each in bases)}, base


@pytest.mark.control("C-35")
def test_images_of_others_have_a_version() -> None:
    named = {name: each["image"] for name, each in config("--profile", "*")["services"].items()}
    named["keydb"] = config(*files("keydb"))["services"]["keydb"]["image"]
    ours = {name: image for name, image in named.items() if image.split(":")[0].startswith("hean")}
    assert set(ours) >= {"api", "ui", "market-data", "execution-service"}
    for name in named.keys() - ours.keys():
        assert TAGGED.fullmatch(named[name]), (name, named[name])
    for path in (ROOT / "deploy/k8s").glob("*.yaml"):
        for image in re.findall(r"^ +image: (\S+)$", path.read_text(), re.MULTILINE):
            assert image == "hean" or TAGGED.fullmatch(image), (path.name, image)


@pytest.mark.parametrize("path", STAND_INS, ids=lambda path: path.name)
def test_stand_ins_say_what_they_stand_in_for(path: Path) -> None:
    assert "Stand-in for " in path.read_text()


@pytest.mark.parametrize("name", ["docker-compose.yml", "docker-compose.keydb.yml"])
@pytest.mark.control("C-35")
def test_compose_files_pass_their_linter(name: str) -> None:
    """Images of others are named by tag: no digest can be looked up without a registry. cadvisor
    has to see the host's control groups. Nothing else that is grave may be there.
    """
    told = subprocess.run(
        [tool("compose-lint"), "--format", "json", name],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    found = json.loads(told.stdout)
    rows = found["findings"] if isinstance(found, dict) else found
    grave = [row for row in rows if str(row["severity"]).lower() in ("high", "critical")]
    allowed = {("cadvisor", "CL-0013")} if name == "docker-compose.yml" else set()
    assert {(row["service"], row["rule_id"]) for row in grave} == allowed, grave


def test_nothing_but_the_named_gets_into_an_image() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert not any(rule.startswith("!") and "secret" in rule for rule in rules)
    for never in ("**/.env*", "**/*.so", "ui/node_modules"):
        assert never in rules


def test_variables_of_the_stack_may_stand_beside_those_of_hean(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("HEAN_STACK_UID=1000\nHEAN_CACHE_IMAGE=x\nCOMPOSE_PROFILES=full\n")
    assert not load({}, {"HEAN_STACK_UI_PORT": "3000"}, dotenv).warnings
