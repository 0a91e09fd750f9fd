# SPDX-License-Identifier: Apache-2.0
"""A Kafka broker from the official jars, without a container: one node in KRaft mode on loopback,
for development and for the tests. The jars come from Maven Central, once, and each must have the
hash of `deploy/kafka/jars.sha256`; nothing else is run. Standard library only.

    python scripts/kafka_server.py --data kafka          # on 127.0.0.1:9092, until Ctrl-C
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
POM = ROOT / "deploy" / "kafka" / "pom.xml"
HASHES = ROOT / "deploy" / "kafka" / "jars.sha256"
JARS = ROOT / ".hean" / "kafka"
PORT = 9092
CLUSTER = "aGVhbi1vbmUtYnJva2VyMQ"  # an id that means nothing: there is one broker
MEMORY = ("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
QUIET = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
controller.quorum.election.timeout.ms=200
"""
"""A broker that was killed is let in again when its old session has ended, usually after 9 s."""


class NotHad(Exception):
    """A broker cannot be run here; the text says what lacks."""


def jars() -> Path:
    """The folder of the checked jars, fetched if they are not there. *Raises*: `NotHad`."""
    missing = [name for name in ("java", "mvn") if not shutil.which(name)]
    if "java" in missing:
        raise NotHad("no java; apt-get install openjdk-17-jre-headless brings one")
    wanted = _wanted()
    if _faults(JARS, wanted):
        if missing:
            raise NotHad("no Kafka jars, and no mvn to fetch them; apt-get install maven")
        _fetch(wanted)
    return JARS


def prepare(folder: Path, port: int, controller_port: int) -> Path:
    """Write the settings of a broker, and format its data if it has none. *Returns*: the file of
    settings. *Raises*: `NotHad`.
    """
    data, settings = folder / "data", folder / "server.properties"
    folder.mkdir(parents=True, exist_ok=True)
    settings.write_text(
        PROPERTIES.format(port=port, controller_port=controller_port, data=data.resolve())
    )
    if not (data / "meta.properties").exists():
        tool = "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(settings)
        done = subprocess.run(_java(*tool), capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotHad(f"Kafka's data cannot be formatted: {done.stdout}{done.stderr}")
    return settings


def start(settings: Path, log: Path) -> subprocess.Popen[bytes]:
    """A broker with these settings; it answers some seconds later."""
    with log.open("ab") as line:
        return subprocess.Popen(
            _java("kafka.Kafka", str(settings)), stdout=line, stderr=subprocess.STDOUT
        )


def _java(*words: str) -> list[str]:
    return ["java", *MEMORY, QUIET, "-cp", f"{jars()}/*", *words]


def _wanted() -> dict[str, str]:
    """Hash of each jar, by name."""
    rows = (line.split() for line in HASHES.read_text().splitlines())
    return {name: digest for digest, name in rows}


def _faults(folder: Path, wanted: dict[str, str]) -> list[str]:
    """Jars that are missing, too many or other than they should be."""
    found = {each.name for each in folder.glob("*.jar")}
    wrong = [name for name in wanted if name in found and _hash(folder / name) != wanted[name]]
    return sorted({*wrong, *(found ^ set(wanted))})


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _fetch(wanted: dict[str, str]) -> None:
    print(f"kafka: {len(wanted)} jars from Maven Central, once", file=sys.stderr, flush=True)
    JARS.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=JARS.parent) as folder:
        command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
        command += [f"-DoutputDirectory={folder}", "-DincludeScope=runtime"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotHad(f"mvn cannot fetch the Kafka jars: {done.stdout[-500:]}")
        faults = _faults(Path(folder), wanted)
        if faults:
            raise NotHad(f"these jars are not those of {HASHES.name}: {', '.join(faults)}")
        shutil.rmtree(JARS, ignore_errors=True)
        os.rename(folder, JARS)
        Path(folder).mkdir()  # for the context to remove


def main(arguments: list[str]) -> int:
    """Run a broker until it ends."""
    parser = argparse.ArgumentParser(description="Run a Kafka broker on loopback.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the broker's data")
    parser.add_argument("--port", type=int, default=PORT)
    options = parser.parse_args(arguments)
    try:
        settings = prepare(options.data, options.port, options.port + 1)
    except NotHad as lack:
        print(f"kafka: {lack}", file=sys.stderr)
        return 1
    print(f"kafka: 127.0.0.1:{options.port}", file=sys.stderr, flush=True)
    os.execvp("java", _java("kafka.Kafka", str(settings)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
