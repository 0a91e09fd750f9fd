# SPDX-License-Identifier: Apache-2.0
"""A line between a process and a server that can be cut: everything goes through until `cut`, then
nothing does, as with a cable that was pulled: connections stay open and silent.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self

BYTES = 1 << 16


class CutLine:
    """Forwards to a port of this machine. `port` is where to connect. Use it as a context."""

    def __init__(self, target_port: int) -> None:
        self.is_cut = threading.Event()
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def cut(self) -> None:
        """Nothing passes any more, in either direction."""
        self.is_cut.set()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._sockets.append(near)
                if self.is_cut.is_set():
                    continue
                far = socket.create_connection(("127.0.0.1", self._target_port))
                self._sockets.append(far)
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(BYTES):
                if self.is_cut.is_set():
                    return
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
