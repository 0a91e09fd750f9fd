# SPDX-License-Identifier: Apache-2.0
"""`page.py`: the files of the page, for everybody: they hold nothing but a way to ask. They are
read once, when the app is built, so no path of a request ever touches a disk and nothing outside
the folder can be named. A browser that asks for a path nobody knows gets the page itself; whoever
does not ask for HTML is told that there is nothing.
"""

from __future__ import annotations

import gzip
import secrets
from dataclasses import dataclass
from pathlib import Path

from hean.api.headers import CSP, Header, page_csp
from hean.api.problems import Refused
from hean.api.shield import Receive, Scope, Send

INDEX = "index.html"
NONCE = b"__STYLE_NONCE__"
"""Stands in the page where the nonce of its styles goes, anew for each answer."""

KINDS = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
    ".txt": b"text/plain; charset=utf-8",
    ".woff2": b"font/woff2",
}
PACKED = {".css", ".js", ".svg"}
ASSETS = "assets/"  # named after their content, so they never change
FOREVER = b"public, max-age=31536000, immutable"
A_WHILE = b"public, max-age=3600"


@dataclass(frozen=True, slots=True)
class _File:
    kind: bytes
    plain: bytes
    packed: bytes | None
    keeps: bytes


class Page:
    """*folder*: with `index.html` in it. *Raises*: `OSError` if it cannot be read."""

    def __init__(self, folder: Path) -> None:
        self._index = (folder / INDEX).read_bytes()
        self._files = dict(_files(folder))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A file, or the page. *Raises*: `Refused`."""
        path = scope["path"].lstrip("/")
        headers: dict[bytes, bytes] = scope["state"]["headers"]
        found = self._files.get(path)
        if found is not None:
            await _send(scope, send, *_answer(found, headers.get(b"accept-encoding", b"")))
            return
        if path not in ("", INDEX) and b"text/html" not in headers.get(b"accept", b""):
            raise Refused(404, "NotFound", "Nothing answers to that path.", field="/path")
        nonce = secrets.token_urlsafe(16)
        body = self._index.replace(NONCE, nonce.encode())
        policy = [(b"content-type", KINDS[".html"]), (CSP, page_csp(nonce))]
        await _send(scope, send, policy, body)


def built_page() -> Page | None:
    """The page that came with this HEAN, or was built in its source tree; `None` without one."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "page", package.parent.parent / "ui" / "dist"):
        if (folder / INDEX).is_file():
            return Page(folder)
    return None


def _files(folder: Path) -> list[tuple[str, _File]]:
    """By path. A link is left out: it may lead anywhere."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        kind = KINDS.get(path.suffix)
        if kind is None or name == INDEX or path.is_symlink() or not path.is_file():
            continue
        plain = path.read_bytes()
        packed = gzip.compress(plain, mtime=0) if path.suffix in PACKED else None
        keeps = FOREVER if name.startswith(ASSETS) else A_WHILE
        found.append((name, _File(kind, plain, packed, keeps)))
    return found


def _answer(file: _File, accepted: bytes) -> tuple[list[Header], bytes]:
    headers = [(b"content-type", file.kind), (b"cache-control", file.keeps)]
    if file.packed is None:
        return headers, file.plain
    headers.append((b"vary", b"Accept-Encoding"))
    if b"gzip" not in accepted:
        return headers, file.plain
    return [*headers, (b"content-encoding", b"gzip")], file.packed


async def _send(scope: Scope, send: Send, headers: list[Header], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    start = {"type": "http.response.start", "status": 200, "headers": [*headers, length]}
    await send(start)
    is_head = scope["method"] == "HEAD"
    await send({"type": "http.response.body", "body": b"" if is_head else body})
