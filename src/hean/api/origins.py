# SPDX-License-Identifier: Apache-2.0
"""`origins.py`: from where a browser may call. The Host must be one of ours (a foreign name that
resolves to this machine is an attack), and a page of another origin is refused unless it is on an
exact list, which is empty by default. A call that may change something and comes from a browser
also carries `X-HEAN-Request`, which no form and no image can send (C-04 to C-06).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from hean.api.problems import Refused
from hean.errors import ParameterInvalid

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
MARK = b"x-hean-request"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
METHODS = b"GET, POST, PATCH, DELETE"
ALLOWED_HEADERS = b"authorization, content-type, idempotency-key, x-hean-request, x-request-id"
EXPOSED_HEADERS = b"x-request-id, retry-after, idempotent-replayed"
PREFLIGHT_S = b"600"
_HOST = re.compile(r"([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?")
_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?")


class Origins:
    """*hosts*: names, without port, by which this machine is called, besides those of loopback.
    *origins*: other pages that may call, such as `https://desk.example:3000`.

    *Raises*: `ParameterInvalid` for a name with a wildcard or anything else that is none.
    """

    def __init__(self, hosts: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        self._hosts = LOOPBACK | {host.lower() for host in hosts}
        self._origins = frozenset(origin.lower() for origin in origins)
        for host in self._hosts:
            found = _HOST.fullmatch(host)
            if found is None or found[2] is not None:
                raise ParameterInvalid(f"allowed host {host[:80]!r}: a name without port.")
        for origin in self._origins:
            if not _ORIGIN.fullmatch(origin):
                raise ParameterInvalid(
                    f"allowed origin {origin[:80]!r}: scheme, name and port, no path, no *."
                )

    def check_host(self, headers: Mapping[bytes, bytes]) -> str:
        """*Returns*: the Host, with its port. *Raises*: `Refused` for one that is not ours."""
        host = headers.get(b"host", b"").decode("latin-1").lower()
        found = _HOST.fullmatch(host)
        if found is None or found[1] not in self._hosts:
            raise Refused(
                421, "HostRefused", "This server does not answer to that Host; see allowed hosts.",
                field="/header/Host",
            )  # fmt: skip
        return host

    def lists(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether it comes from an allowed page of another origin, which may read the answer."""
        return headers.get(b"origin", b"").decode("latin-1").lower() in self._origins

    def check(self, method: str, scheme: str, host: str, headers: Mapping[bytes, bytes]) -> None:
        """Refuse what another page does behind its reader's back. *Raises*: `Refused`."""
        origin = headers.get(b"origin")
        site = headers.get(b"sec-fetch-site")
        if self.lists(headers):
            site = b"same-origin"  # as good as
        elif origin is not None and origin.decode("latin-1").lower() != f"{scheme}://{host}":
            raise _foreign("Origin")
        if site not in (None, b"same-origin"):
            is_link = method == "GET" and headers.get(b"sec-fetch-mode") == b"navigate"
            is_typed = method in SAFE and site == b"none"
            if not (is_link or is_typed):
                raise _foreign("Sec-Fetch-Site")
        is_browser = origin is not None or site is not None
        if method not in SAFE and is_browser and MARK not in headers:
            raise Refused(
                403,
                "RequestHeaderMissing",
                "From a browser, calls that change something carry X-HEAN-Request: 1.",
                field="/header/X-HEAN-Request",
            )


def preflight(origin: bytes) -> list[tuple[bytes, bytes]]:
    """The headers by which a browser learns what an allowed page may send."""
    return [
        *shared_with(origin),
        (b"access-control-allow-methods", METHODS),
        (b"access-control-allow-headers", ALLOWED_HEADERS),
        (b"access-control-max-age", PREFLIGHT_S),
    ]


def shared_with(origin: bytes) -> list[tuple[bytes, bytes]]:
    """The headers by which an allowed page may read an answer; never with cookies."""
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", EXPOSED_HEADERS),
        (b"vary", b"Origin"),
    ]


def _foreign(header: str) -> Refused:
    return Refused(
        403, "OriginRefused", "Calls from pages of other origins are not taken.",
        field=f"/header/{header}",
    )  # fmt: skip
