# SPDX-License-Identifier: Apache-2.0
"""`door.py`: how one process of a fleet is looked at: `/health` and `/metrics` on its own port. It
takes no words, and `/health` tells nothing about money; `/metrics` does, so beyond loopback it
wants a token, as the address wants TLS (C-08). A process that waits for its broker answers 200 and
says `degraded`: nobody shall restart it for that.
"""

from __future__ import annotations

import hmac
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

from aiohttp import web

from hean.core.bridge import Reader, Sender
from hean.errors import EnvironmentFault, ParameterInvalid
from hean.net.bind import Bind, is_loopback
from hean.observe.metrics import CONTENT_TYPE, Samples, measure_process, render
from hean.secret import Secret

Document = dict[str, Any]


TOKEN_CHARS_MIN = 32


def read_token(path: Path) -> Secret:
    """What `/metrics` is asked with. *Raises*: `ParameterInvalid` for none, or a weak one."""
    try:
        token = path.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        raise ParameterInvalid(f"--token-file {path}: {error}.") from None
    if len(token) < TOKEN_CHARS_MIN:
        raise ParameterInvalid(
            f"--token-file {path}: {len(token)} characters; at least {TOKEN_CHARS_MIN}: "
            "openssl rand -hex 32."
        )
    return Secret(token)


class Door:
    """*bind*: where; *token*: of `/metrics`; *look*: the health document; *measure*: fills in the
    samples. *Raises*: `ParameterInvalid` for an address beyond loopback without a token, or a
    certificate that cannot be read.
    """

    def __init__(
        self, bind: Bind, token: Secret | None, *, look: Callable[[], Document],
        measure: Callable[[Samples], None],
    ) -> None:  # fmt: skip
        if token is None and not is_loopback(bind.host):
            raise ParameterInvalid(
                f"--host {bind.host[:60]}: not loopback, so it needs --token-file, with which "
                "/metrics is asked: openssl rand -hex 32."
            )
        self._bind, self._token, self._tls = bind, token, _tls_of(bind)
        self._look, self._measure = look, measure
        app = web.Application()
        app.add_routes([web.get("/health", self._health), web.get("/metrics", self._metrics)])
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self) -> str:
        """Open it. *Returns*: its address. *Raises*: `EnvironmentFault` if the port is taken."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._bind.host, self._bind.port, ssl_context=self._tls)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise EnvironmentFault(f"port {self._bind.port}: {error.strerror or error}.") from error
        port = int(self._runner.addresses[0][1])
        return f"{'http' if self._tls is None else 'https'}://{self._bind.host}:{port}"

    async def stop(self) -> None:
        """Close it."""
        await self._runner.cleanup()

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response(self._look())

    async def _metrics(self, request: web.Request) -> web.Response:
        if not self._may(request):
            return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
        samples = Samples()
        measure_process(samples, time.process_time(), getrusage(RUSAGE_SELF).ru_maxrss)
        self._measure(samples)
        return web.Response(body=render(samples), headers={"Content-Type": CONTENT_TYPE})

    def _may(self, request: web.Request) -> bool:
        if self._token is None:
            return True
        shown = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        return hmac.compare_digest(shown, f"Bearer {self._token.reveal()}".encode())


def _tls_of(bind: Bind) -> ssl.SSLContext | None:
    if bind.certificate is None or bind.key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(bind.certificate, bind.key)
    except OSError as error:
        raise ParameterInvalid(f"--certificate {bind.certificate}: {error}.") from None
    return context


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
