# SPDX-License-Identifier: Apache-2.0
"""Files of the page: what is given, with which headers, and what is not."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
import tomllib
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


def test_an_installed_package_finds_the_page_that_came_with_it(tmp_path: Path, root: Path) -> None:
    """A folder as the wheel makes it: the package, the page inside it, no source tree beside it."""
    source, package = root / "src" / "hean", tmp_path / "site-packages" / "hean"
    (package / "api").mkdir(parents=True)
    for path in (*source.iterdir(), *(source / "api").iterdir()):
        target = package / path.relative_to(source)
        if path.name == "page.py":
            shutil.copy(path, target)
        elif path != source / "api" and path.name != "page":
            target.symlink_to(path)
    (package / "page").mkdir()
    (package / "page" / "index.html").write_text("it came with the wheel")
    told = subprocess.run(
        [sys.executable, "-c", "from hean.api.page import *; print(built_page()._index)"],
        env=dict(os.environ, PYTHONPATH=str(package.parent)), cwd=tmp_path,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "it came with the wheel" in told.stdout


def test_the_wheel_is_built_with_the_page_in_it(root: Path) -> None:
    """maturin takes every file of the package that git does not ignore; the page is copied there
    for as long as the wheel is made, so that it never hides a newer one of the source tree.
    """
    made = re.search(r"^build:.*\n\t(.*)$", (root / "Makefile").read_text(), re.MULTILINE)
    assert made is not None and made[1].endswith("scripts/build_wheel.sh")
    script = (root / "scripts" / "build_wheel.sh").read_text()
    assert "PAGE=src/hean/page" in script
    steps = ('trap \'rm -rf "$PAGE"', "cp -R ui/dist", 'mv "$NEW" "$PAGE"', " build --release")
    places = [script.index(step) for step in steps]
    assert places == sorted(places)
    built_with = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["maturin"]
    assert built_with["python-source"] == "src" and "hean" in built_with["python-packages"]
    assert "exclude" not in built_with
    ignored = subprocess.run(
        ["git", "check-ignore", "src/hean/page/index.html", "src/hean/page/assets/index-a1.js"],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ignored.stdout == ""
