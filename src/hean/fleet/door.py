# SPDX-License-Identifier: Apache-2.0
"""`door.py`: how one process of a fleet is looked at: `/health` and `/metrics` on its own port. It
tells strangers nothing about money and takes no words. A process that waits for its broker answers
200 and says `degraded`: nobody shall restart it for that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from resource import RUSAGE_SELF, getrusage
from typing import Any

from aiohttp import web

from hean.core.bridge import Reader, Sender
from hean.errors import EnvironmentFault
from hean.observe.metrics import CONTENT_TYPE, Samples, measure_process, render

Document = dict[str, Any]


class Door:
    """*look*: the health document; *measure*: fills in the samples."""

    def __init__(
        self, host: str, port: int, *, look: Callable[[], Document],
        measure: Callable[[Samples], None],
    ) -> None:  # fmt: skip
        self._host, self._port = host, port
        self._look, self._measure = look, measure
        app = web.Application()
        app.add_routes([web.get("/health", self._health), web.get("/metrics", self._metrics)])
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self) -> int:
        """Open it. *Returns*: the port. *Raises*: `EnvironmentFault` if that is taken."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise EnvironmentFault(f"port {self._port}: {error.strerror or error}.") from error
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close it."""
        await self._runner.cleanup()

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response(self._look())

    async def _metrics(self, _request: web.Request) -> web.Response:
        samples = Samples()
        measure_process(samples, time.process_time(), getrusage(RUSAGE_SELF).ru_maxrss)
        self._measure(samples)
        return web.Response(body=render(samples), headers={"Content-Type": CONTENT_TYPE})


def measure_sender(samples: Samples, sender: Sender) -> None:
    """What a process says to others."""
    outbox = sender.outbox
    samples.put("hean_bridge_up", not sender.fault, way="out")
    samples.put("hean_bridge_outages_total", sender.outages, way="out")
    samples.put("hean_bridge_sent_total", sender.sent, topic=sender.topic)
    samples.put("hean_bridge_waiting", len(outbox), topic=sender.topic)
    samples.put("hean_bridge_merged_total", outbox.merged, topic=sender.topic)
    samples.put("hean_bridge_dropped_total", outbox.dropped, topic=sender.topic)
    for reader, seq in sender.positions.items():
        samples.put("hean_bridge_position", seq, source=outbox.source, reader=reader)


def measure_reader(samples: Samples, reader: Reader) -> None:
    """What it hears from others."""
    inbox = reader.inbox
    samples.put("hean_bridge_up", not reader.fault, way="in")
    samples.put("hean_bridge_outages_total", reader.outages, way="in")
    samples.put("hean_bridge_duplicates_total", inbox.duplicates, reader=reader.name)
    samples.put("hean_bridge_holes_total", inbox.holes, reader=reader.name)
    samples.put("hean_bridge_unreadable_total", inbox.unreadable, reader=reader.name)
    for source, seq in inbox.last.items():
        samples.put("hean_bridge_position", seq, source=source, reader=reader.name)
