# SPDX-License-Identifier: Apache-2.0
"""Ports for servers that have to be told theirs. They lie below those that the system gives to
whoever asks for any: a server that is killed and started again finds its own still free.
"""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress

FIRST, END = 20_000, 32_768
_given: set[int] = set()


def free_port() -> int:
    """One that nobody listens on; never the same twice."""
    while True:
        port = FIRST + secrets.randbelow(END - FIRST)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port
