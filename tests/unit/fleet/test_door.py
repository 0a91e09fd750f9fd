# SPDX-License-Identifier: Apache-2.0
"""How a process of a fleet is looked at from another machine: over TLS, `/metrics` with a token."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import aiohttp
import pytest

from hean.errors import ParameterInvalid
from hean.fleet.door import Door, read_token
from hean.net.bind import Bind
from hean.observe.metrics import Samples
from hean.secret import Secret

TOKEN = "t" * 64


def door(bind: Bind, token: Secret | None = None) -> Door:
    def measure(samples: Samples) -> None:
        samples.put("hean_equity", 10_000.0)

    return Door(bind, token, look=lambda: {"status": "healthy"}, measure=measure)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    certificate, key = tmp_path / "certificate", tmp_path / "key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=fleet", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


@pytest.mark.control("C-08")
async def test_beyond_loopback_it_speaks_tls_and_money_wants_a_token(
    pair: tuple[Path, Path],
) -> None:
    at = door(Bind("0.0.0.0", 0, *pair, is_public=True), Secret(TOKEN))
    url = (await at.start()).replace("0.0.0.0", "127.0.0.1")
    trusted = ssl.create_default_context(cafile=pair[0])
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted)) as http:
            async with http.get(f"{url}/health") as answer:
                assert (answer.status, await answer.json()) == (200, {"status": "healthy"})
            for shown in ({}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {TOKEN}x"}):
                async with http.get(f"{url}/metrics", headers=shown) as answer:
                    assert answer.status == 401 and b"equity" not in await answer.read()
            shown = {"Authorization": f"Bearer {TOKEN}"}
            async with http.get(f"{url}/metrics", headers=shown) as answer:
                assert answer.status == 200 and b"hean_equity 10000" in await answer.read()
        with pytest.raises(aiohttp.ClientError):
            async with aiohttp.ClientSession() as http:
                await http.get(url.replace("https", "http"))
    finally:
        await at.stop()


@pytest.mark.control("C-08")
async def test_it_is_refused_without_a_token_and_with_a_weak_one(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(ParameterInvalid, match="--token-file"):
        door(Bind("0.0.0.0", 0, *pair, is_public=True))
    file = tmp_path / "token"
    for text in ("", "admin"):
        file.write_text(text)
        with pytest.raises(ParameterInvalid, match="at least 32") as refused:
            read_token(file)
        assert "admin" not in str(refused.value)
    with pytest.raises(ParameterInvalid, match="No such file"):
        read_token(tmp_path / "none")
    file.write_text(f"{TOKEN}\n")
    assert read_token(file).reveal() == TOKEN
    with pytest.raises(ParameterInvalid, match="--certificate"):
        door(Bind("0.0.0.0", 0, file, file, is_public=True), Secret(TOKEN))


async def test_on_loopback_it_needs_nothing_but_heeds_a_token() -> None:
    for token, status in ((None, 200), (Secret(TOKEN), 401)):
        at = door(Bind(port=0), token)
        url = await at.start()
        try:
            async with aiohttp.ClientSession() as http, http.get(f"{url}/metrics") as answer:
                assert answer.status == status
        finally:
            await at.stop()
