# SPDX-License-Identifier: Apache-2.0
"""`alert_send.py`: one message to one destination, by Apprise. Redirects are not followed and
certificates are checked; what a failure is told by holds nothing of the address, which is a secret
as a whole.
"""

from __future__ import annotations

import importlib.util
import logging
import re
from contextvars import ContextVar
from typing import Any, Protocol
from urllib.parse import unquote

from hean.errors import EnvironmentFault, ParameterInvalid
from hean.observe.alert_rules import Severity
from hean.observe.alert_ways import Way

NOTE = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}
"""Apprise's words."""
REASON_LENGTH_MAX = 200
PART_LENGTH_MIN = 3  # a shorter part of an address is no secret, and would blot out words
INSTALL = "alerts need Apprise: ./hean setup notify, or pip install 'hean[notify]'"


class Undelivered(Exception):
    """A destination did not take a message; the text says why."""


class Sender(Protocol):
    """Brings a message to one destination, in whatever time that takes."""

    def send(self, title: str, body: str, severity: Severity) -> None:
        """*Raises*: `Undelivered`."""
        ...


def check_ways(ways: list[Way]) -> None:
    """*Raises*: `EnvironmentFault` without Apprise, `ParameterInvalid` for an address that it does
    not understand or that switches the certificate check off. Nothing is sent.
    """
    if ways and importlib.util.find_spec("apprise") is None:
        raise EnvironmentFault(f"{INSTALL}.")
    for way in ways:
        if _target(way.url) is None:
            raise ParameterInvalid(
                f"alerts.{way.name}: not an address that Apprise understands; see docs/alerts.md."
            )
        if re.search(r"[?&]verify=(?!yes|true|1)", way.url, re.IGNORECASE):
            raise ParameterInvalid(
                f"alerts.{way.name}: verify= switches the check of certificates off; leave it out."
            )


def warm_up() -> None:
    """Have Apprise loaded before the first alert waits for it."""
    _target("json://localhost")


def sender_of(way: Way) -> Sender:
    """What sends to it."""
    return AppriseSender(way.url)


class AppriseSender:
    """Made at the first message, since Apprise takes half a second to load."""

    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, title: str, body: str, severity: Severity) -> None:
        """As of `Sender`."""
        target = _target(self._url)
        if target is None:
            raise Undelivered("not an address that Apprise understands")
        said: list[str] = []
        before = _Listener.said.set(said)
        try:
            is_taken = target.notify(title=title, body=body, notify_type=NOTE[severity])
        except Exception as error:  # noqa: BLE001  # reason: a plugin may raise anything
            said, is_taken = [type(error).__name__], False
        finally:
            _Listener.said.reset(before)
        if not is_taken:
            reason = said[-1] if said else "refused"
            raise Undelivered(masked(reason, self._url)[:REASON_LENGTH_MAX])


def masked(text: str, url: str) -> str:
    """*text* without any part of an address."""
    parts = {part for part in re.split(r"[:/?&=#@,]+", url) if part}
    parts |= {unquote(part) for part in parts}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= PART_LENGTH_MIN:
            text = text.replace(part, "***")
    return " ".join(text.split())


class _Listener(logging.Handler):
    """Keeps what Apprise warns of with the message that it is about. Apprise sends in threads of
    its own, which get the context of whoever asked.
    """

    said: ContextVar[list[str] | None] = ContextVar("said", default=None)

    def emit(self, record: logging.LogRecord) -> None:
        """One warning."""
        said = self.said.get()
        if said is not None:
            said.append(record.getMessage())


_LISTENER = _Listener(logging.WARNING)


def _target(url: str) -> Any:
    """Apprise's object of an address, `None` for one that it does not know."""
    import apprise  # takes a tenth of a second, and is an extra

    log = logging.getLogger("apprise")
    log.propagate = False  # what it says may hold an address
    log.addHandler(_LISTENER)  # the same one again changes nothing
    asset = apprise.AppriseAsset(
        app_id="HEAN",
        app_desc="HEAN",
        app_url="",
        http_redirects=False,
        secure_logging=True,
        async_mode=False,
    )
    target = apprise.Apprise(asset=asset)
    return target if target.add(url) else None
