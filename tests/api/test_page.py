# SPDX-License-Identifier: Apache-2.0
"""Files of the page: what is given, with which headers, and what is not."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest

from hean.api.headers import CSP, SECURITY, secured
from hean.api.page import Page
from hean.api.problems import Refused

SCRIPT = b"console.log('a script that is long enough to be worth packing')" * 9


@pytest.fixture
def page(tmp_path: Path) -> Page:
    """A small page, with a secret beside it and a link that leads there."""
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text('<meta name="style-nonce" content="__STYLE_NONCE__" />')
    (folder / "assets" / "index-a1.js").write_bytes(SCRIPT)
    (folder / "favicon.svg").write_text("<svg/>")
    (folder / "notes.md").write_text("not for the browser")
    (folder / "assets" / "link.txt").symlink_to(tmp_path / "secret.txt")
    return Page(folder)


async def asked(page: Page, path: str, method: str = "GET", **headers: str) -> tuple[Any, bytes]:
    """Headers and body."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    named = {name.replace("_", "-").encode(): text.encode() for name, text in headers.items()}
    scope = {"type": "http", "method": method, "path": path, "state": {"headers": named}}
    await page(scope, None, send)  # type: ignore[arg-type]  # nothing is received
    assert sent[0]["status"] == 200
    return dict(secured(sent[0]["headers"], is_tls=False)), sent[1]["body"]


async def test_each_answer_of_the_page_has_a_nonce_of_its_own_and_no_unsafe_style(
    page: Page,
) -> None:
    seen = set()
    for path in ("/", "/index.html", "/anything/else"):
        headers, body = await asked(page, path, accept="text/html,*/*")
        policy = headers[CSP].decode()
        nonce = re.search(r"style-src 'self' 'nonce-([\w-]+)'", policy)
        assert nonce is not None and f'content="{nonce[1]}"'.encode() in body
        assert "unsafe" not in policy and "script-src 'self';" in policy
        assert headers[b"cache-control"] == b"no-store"
        assert {name for name, _ in SECURITY} <= set(headers)
        seen.add(nonce[1])
    assert len(seen) == 3


async def test_what_is_named_after_its_content_is_kept_and_packed(page: Page) -> None:
    headers, body = await asked(page, "/assets/index-a1.js", accept_encoding="br, gzip")
    assert b"immutable" in headers[b"cache-control"]
    assert headers[b"content-encoding"] == b"gzip" and gzip.decompress(body) == SCRIPT
    assert headers[b"content-length"] == str(len(body)).encode()
    headers, body = await asked(page, "/assets/index-a1.js")
    assert b"content-encoding" not in headers and body == SCRIPT
    headers, body = await asked(page, "/favicon.svg", method="HEAD")
    assert body == b"" and headers[b"content-length"] == b"6"
    assert b"immutable" not in headers[b"cache-control"]


@pytest.mark.parametrize(
    "path",
    ["/../secret.txt", "/assets/../../secret.txt", "/assets/link.txt", "/notes.md", "/assets/x.js",
     "//etc/passwd", "/%2e%2e/secret.txt", "/assets"],
)  # fmt: skip
async def test_nothing_else_is_given(page: Page, path: str) -> None:
    with pytest.raises(Refused) as refused:
        await asked(page, path, accept="*/*")
    assert refused.value.status == 404
    _, body = await asked(page, path, accept="text/html")
    assert b"secret" not in body and b"style-nonce" in body
