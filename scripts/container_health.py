# SPDX-License-Identifier: Apache-2.0
"""What a container's health check runs: exit code 0 while its process makes progress, else 1 and
one line why. That a process exists proves nothing, so a number has to move: the last event of an
engine, the last message of a process in a fleet. The number seen last, and when it moved, are kept
in a file of the container's memory. Standard library only.

    python container_health.py api [--url URL] [--stale SECONDS]
    python container_health.py process --url https://127.0.0.1:8001/health

A certificate is checked against that of the API or of the fleet, whichever is among the secrets.

An engine that nobody started makes none and is healthy. One that waits for its broker says
`degraded` and is healthy too: nobody shall restart it for that.
"""

from __future__ import annotations

import argparse
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

TIMEOUT_S = 5.0
SEEN = Path("/dev/shm/hean-health.json")
API = "https://127.0.0.1:8000"
CERTIFICATES = [Path("/run/secrets", name) for name in ("api_certificate", "fleet_certificate")]


class Unhealthy(Exception):
    """Why."""


def ask(url: str, token: str | None = None) -> dict[str, Any]:
    """The document of an answer. *Raises*: `Unhealthy`."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    context = None
    if url.startswith("https:"):
        known = [str(path) for path in CERTIFICATES if path.exists()]
        context = ssl.create_default_context(cafile=known[0] if known else None)
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=context) as answer:
            document = json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            return {}
        raise Unhealthy(f"{url}: {error.code}") from None
    except (OSError, ValueError) as error:
        raise Unhealthy(f"{url}: {error}") from None
    return document if isinstance(document, dict) else {}


def progress_of_api(url: str, folder: Path) -> object | None:
    """The number of the engine's last event; `None` where it stands still, as it may."""
    ask(f"{url}/health/live")
    try:
        token = (folder / "admin.token").read_text("ascii").strip()
    except (OSError, ValueError):
        return None  # taken away after the first start, as it should be: live has to do
    document = ask(f"{url}/health", token)
    if not document.get("orchestrator", {}).get("running"):
        return None
    parts = document.get("components", {})
    return sorted(str(part.get("progress")) for part in parts.values())


def progress_of_process(url: str) -> object | None:
    """What it said and heard; `None` while its broker is away."""
    document = ask(url)
    if document.get("status") == "degraded":
        return None
    return document.get("progress")


def judge(progress: object | None, stale_s: float, seen: Path, now_s: float) -> None:
    """Compare with what was seen last. *Raises*: `Unhealthy` if it has not moved for that long."""
    mark = json.dumps(progress, sort_keys=True)
    try:
        last = json.loads(seen.read_text("utf-8"))
        is_same, since_s = last["mark"] == mark, float(last["since_s"])
    except (OSError, ValueError, KeyError, TypeError):
        is_same, since_s = False, now_s
    if not is_same or progress is None:
        since_s = now_s
    seen.write_text(json.dumps({"mark": mark, "since_s": since_s}), "utf-8")
    if now_s - since_s > stale_s:
        raise Unhealthy(f"no progress for {now_s - since_s:.0f} s")


def main(arguments: list[str]) -> int:
    """Look once; 0 when healthy, else 1."""
    parser = argparse.ArgumentParser(description="Whether the process here makes progress.")
    parser.add_argument("what", choices=("api", "process"))
    parser.add_argument("--url", default=API, help="of the API, or of a process's health")
    parser.add_argument("--stale", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--seen", type=Path, default=SEEN, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    folder = Path(os.environ.get("HEAN_DATA_DIR", "/app/data"))
    try:
        if options.what == "api":
            progress = progress_of_api(options.url, folder)
        else:
            progress = progress_of_process(options.url)
        judge(progress, options.stale, options.seen, time.monotonic())
    except Unhealthy as why:
        print(why)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
