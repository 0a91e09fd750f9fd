# SPDX-License-Identifier: Apache-2.0
"""What the source documents say of services and ports, read from the compose files."""

from __future__ import annotations

import pytest

from containers.composed import BASE, OVERLAYS, ROOT, config, ports, read
from hean import cli_analytics

SERVICES = read(BASE)["services"]
DEV = read(ROOT / "docker-compose.dev.yml")["services"]


@pytest.mark.promise(159)
def test_there_is_one_engine_and_no_workers_of_it() -> None:
    assert SERVICES["api"]["container_name"] == "hean-api"
    assert not any("worker" in word for word in SERVICES["api"]["command"])
    assert "api" not in read(ROOT / "docker-compose.scale.yml")["services"]


@pytest.mark.promise(160)
def test_redis_keeps_copies_and_evicts_what_said_so() -> None:
    text = (ROOT / "deploy/redis/redis.conf").read_text()
    assert "\nappendonly yes\n" in text and "\nmaxmemory-policy volatile-lru\n" in text
    assert SERVICES["redis"]["image"] == "redis:7-alpine"


@pytest.mark.promise(165)
@pytest.mark.promise(166)
def test_grafana_is_on_3001_and_has_no_password_of_its_own() -> None:
    assert ports(DEV["grafana"]) == ["127.0.0.1:${GRAFANA_PORT:-3001}:3000"]
    environment = SERVICES["grafana"]["environment"]
    assert environment["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana_password"
    assert environment["GF_AUTH_ANONYMOUS_ENABLED"] == "false"


@pytest.mark.promise(145)
def test_who_names_services_needs_no_profile() -> None:
    """As `up` resolves them: what is named comes with what it depends on, whatever its profile."""
    names = {"kafka", "redis", "prometheus", "grafana"}
    assert set(config(named=sorted(names))["services"]) == names
    assert not names & {"ui", "api"} and not {"kafka", "grafana"} & set(config()["services"])


@pytest.mark.promise(168)
def test_what_one_looks_at_is_where_it_was_promised() -> None:
    hft = config("--profile", "hft")["services"]
    assert {"alertmanager", "kafka-ui"} <= set(hft)
    assert ports(DEV["alertmanager"]) == ["127.0.0.1:9093:9093"]
    assert ports(DEV["kafka-ui"]) == ["127.0.0.1:8090:8090"]
    assert hft["kafka-ui"]["environment"]["SERVER_PORT"] == "8090"
    assert cli_analytics.PORT == 8501  # beside the stack, on loopback: docs/adr/0040


@pytest.mark.promise(182)
def test_redis_keeps_its_data_and_no_service_has_a_folder_of_this_machine_to_write() -> None:
    """Nor the source, nor the settings: docs/adr/0040. What the volume is worth: test_stack.py."""
    assert SERVICES["redis"]["volumes"] == ["redis-data:/data"]
    assert "redis-data" in read(BASE)["volumes"]
    mounted = [each for service in SERVICES.values() for each in service.get("volumes", [])]
    of_host = [each for each in mounted if each.startswith((".", "/"))]
    assert of_host and all(each.endswith(":ro") for each in of_host)
    assert not any(each.startswith(("./src", "./.env", "./logs")) for each in of_host)


@pytest.mark.promise(149)
def test_monitoring_is_found_by_the_paths_of_the_documents() -> None:
    for name in ("prometheus/prometheus.yml", "grafana/datasources", "grafana/dashboards"):
        place = ROOT / "monitoring" / name
        assert place.samefile(ROOT / "deploy/monitoring" / name)
    used = [*SERVICES["grafana"]["volumes"], read(BASE)["configs"]["prometheus"]["file"]]
    for name in ("prometheus/prometheus.yml", "grafana/datasources", "grafana/dashboards"):
        assert any(f"deploy/monitoring/{name}" in each for each in used), name
    assert list((ROOT / "monitoring/grafana/datasources").glob("*.yml"))
    assert len(list((ROOT / "monitoring/grafana/dashboards").glob("*.json"))) == 4


@pytest.mark.promise(171)
def test_kafka_is_its_own_controller_and_there_is_no_zookeeper() -> None:
    kafka = SERVICES["kafka"]
    assert kafka["container_name"] == "crypto-bot-kafka"
    assert kafka["environment"]["KAFKA_PROCESS_ROLES"] == "broker,controller"
    assert not any("zookeeper" in name for name in SERVICES)


@pytest.mark.promise(175)
def test_there_is_one_network_and_no_address_in_it() -> None:
    assert read(BASE)["networks"] == {"hean-network": {}}
    assert all(service["networks"] == ["hean-network"] for service in SERVICES.values())


@pytest.mark.promise(156)
def test_tools_are_in_the_image_of_development_alone() -> None:
    whole = (ROOT / "Dockerfile").read_text()
    before, _, after = whole.partition("AS development")
    for tool in ("curl", "iputils-ping", "sqlite3"):
        assert tool in after and tool not in before
    assert {"prod", "dev"} <= set(OVERLAYS)
    assert DEV["execution-service"]["build"] == {"target": "development"}


@pytest.mark.promise(161)
def test_the_population_is_optional_on_paper_and_fifty() -> None:
    bot = SERVICES["symbiont"]
    assert (bot["container_name"], bot["profiles"]) == ("hean-symbiont-testnet", ["symbiont"])
    words = set(bot["command"])
    assert {"symbiont", "--testnet", "--agents=50", "--cash=10000"} <= words
    assert "--symbols=${SYMBOLS:-BTCUSDT,ETHUSDT}" in words
