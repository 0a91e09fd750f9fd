# SPDX-License-Identifier: Apache-2.0
"""`bind.py`: where a listener of HEAN may be. On loopback it may; on any other address only with
TLS and when that was asked for in so many words (C-08): a trading engine is put on no network by a
slip. Who may ask there is the listener's own matter: tokens of the API, a token file of a process.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from hean.errors import ParameterInvalid

OTHER_PORT = "choose another with --port"


@dataclass(frozen=True, slots=True)
class Bind:
    """Where to listen. *is_public*: somebody asked for an address beyond loopback; *if_taken*: what
    whoever asked can do when the port is another's.

    *Raises*: `ParameterInvalid` for one that is not safe.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    certificate: Path | None = None
    key: Path | None = None
    is_public: bool = False
    if_taken: str = OTHER_PORT

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ParameterInvalid("TLS needs both, a certificate and its key.")
        if is_loopback(self.host):
            return
        missing = [] if self.certificate is not None else ["a certificate and key (TLS)"]
        missing += [] if self.is_public else ["the option that says so"]
        if missing:
            raise ParameterInvalid(
                f"--host {self.host[:60]}: not loopback, so it needs {' and '.join(missing)}. "
                "On this machine alone: 127.0.0.1."
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False  # a name may mean anything tomorrow
