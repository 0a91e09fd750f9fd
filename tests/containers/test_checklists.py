# SPDX-License-Identifier: Apache-2.0
"""The checklists name only what there is: commands, scripts, files, variables, alerts, services,
settings of the kernel.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main
import yaml

from containers.composed import BASE, ROOT, config, read
from hean.cli import app
from hean.config import VARIABLES

PAGE = ROOT / "docs/operations/checklists.md"
TEXT = PAGE.read_text("utf-8")
WORDS = re.findall(r"`([^`\n]+)`", TEXT)
OF_OTHERS = {"KAFKA_HEAP_OPTS", "KAFKA_JVM_PERFORMANCE_OPTS"}


def section(title: str) -> str:
    """What stands under a heading."""
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.promise(157)
def test_what_was_promised_is_on_the_lists() -> None:
    def topics(title: str) -> set[str]:
        return set(re.findall(r"^\| ([A-Z][\w ]+) \|", section(title), re.MULTILINE))

    wanted = {"Passwords", "TLS", "Firewall", "Audit log", "Secrets", "Updates"}
    assert wanted <= topics("Security")
    assert {"JVM of Kafka", "Kernel", "CPU affinity", "Network card", "Disk"} <= topics("Latency")


@pytest.mark.promise(157)
def test_every_command_is_one_of_ours() -> None:
    spoken = {tuple(re.findall(r"\bhean ([a-z]+)(?: ([a-z]+))?", word)[0]) for word in WORDS
              if re.match(r"(taskset -c 2 )?hean [a-z]", word)}  # fmt: skip
    assert len(spoken) >= 10
    root = typer.main.get_command(app)
    for first, second in spoken:
        command = root.commands[first]  # type: ignore[attr-defined]
        if second and hasattr(command, "commands"):
            command = command.commands[second]
        assert command.name in (first, second)
    options = {option for word in WORDS if word.startswith("hean ") for option in
               re.findall(r"--[a-z]+", word)}  # fmt: skip
    assert {"--role", "--days", "--to"} <= options


@pytest.mark.promise(157)
def test_every_file_variable_and_alert_exists() -> None:
    made = (ROOT / "scripts/setup_all.sh").read_text()
    for word in WORDS:
        name = word.split()[0]
        if name.startswith("secrets/") and len(name) > len("secrets/"):
            stem = name.removeprefix("secrets/").rsplit("_", 1)
            assert f"certificate {stem[0]} " in made and stem[1] in ("certificate", "key"), word
        elif name.startswith(("scripts/", "docker-compose.")) and "pinned" not in name:
            assert (ROOT / name).exists(), word
    named = set(re.findall(r"\b([A-Z]+(?:_[A-Z]+)+)\b", " ".join(WORDS))) - OF_OTHERS
    for name in named:
        bare = name.removesuffix("_FILE")
        in_files = name in (ROOT / "docker-compose.prod.yml").read_text()
        assert bare in VARIABLES or in_files, name
    rules = (ROOT / "deploy/monitoring/prometheus/rules/hean.yml").read_text()
    alerts = {word for word in WORDS if re.fullmatch(r"(Hean|Host)[A-Z]\w+", word)}
    assert alerts and all(f"alert: {name}\n" in rules for name in alerts)


@pytest.mark.promise(157)
def test_every_setting_of_the_kernel_is_one() -> None:
    block = TEXT.partition("```sysctl\n")[2].partition("```")[0]
    names = [line.split(" = ")[0] for line in block.splitlines()]
    assert len(names) >= 5
    for name in names:
        place = Path("/proc/sys", *name.split("."))
        # A network of one's own, as in a container, shows only some of net.core.
        assert place.exists() or name.startswith("net.core."), name


@pytest.mark.promise(157)
def test_the_overlay_for_processors_fits(tmp_path: Path) -> None:
    block = TEXT.partition("```yaml\n")[2].partition("```")[0]
    assert set(yaml.safe_load(block)["services"]) <= set(read(BASE)["services"])
    overlay = tmp_path / "docker-compose.pinned.yml"
    overlay.write_text(block)
    words = ["--project-directory", str(ROOT), "-f", str(BASE), "-f", str(overlay)]
    found = config(*words, "--profile", "*")["services"]
    assert found["execution-service"]["cpuset"] == "2"
    assert found["kafka"]["environment"]["KAFKA_HEAP_OPTS"] == "-Xms1g -Xmx1g"
    assert found["kafka"]["environment"]["KAFKA_NODE_ID"] == "1"
