# SPDX-License-Identifier: Apache-2.0
"""Names that would be files (C-28): a corpus of spellings of a way out of the data directory, sent
as every name that the API takes and given to the catalog as a symbol. None is opened, none is made,
and a link that lies there already leads nowhere.
"""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path
from urllib.parse import quote

import pytest
from yarl import URL

from api.test_jobs import ASKED, ended
from face_desk import FaceDesk, face_desk, recorded_desk
from hean.api.permissions import Role
from hean.data.catalog import Catalog
from hean.data.reader import read_columns
from hean.errors import HeanError
from small_market import write_candles

pytestmark = pytest.mark.control("C-28")

CANARY = "canary-of-the-outside"
WAYS_UP = [
    "../", "..\\", "%2e%2e/", "..%2f", "%2e%2e%2f", "..%5c", "%252e%252e%252f", "..%252f",
    "%c0%ae%c0%ae/", "..%c0%af", "%e0%80%ae%e0%80%ae/", "..%ef%bc%8f", "\uff0e\uff0e/",
    "..\u2215", "..\u2044", ".../", "....//", "..;/", "./../", ".%00./", "..%00/", "x/../../",
    "%uff0e%uff0e/", "..%09/", "..%0d%0a/",
]  # fmt: skip
TARGETS = ["secret.txt", "data/admin.token", "data/tokens.json", "data/answers.db"]
ALONE = [
    "", ".", "..", "...", "~", "~root", "/", "//", "\\", "%00", "%2e", "%2e%2e", "-rf", "--help",
    "/etc/passwd", "//etc/passwd", "file:///etc/passwd", "%2fetc%2fpasswd", "/proc/self/environ",
    "/dev/stdin", "/dev/zero", "C:\\boot.ini", "\\\\host\\share", "nul", "con", "aux.txt",
    "http://evil.example/x", "$(id)", "`id`", "|id", ";id", "&&id", "${HOME}", "*", "?", "[a-z]",
    "a" * 300, "x/" * 100, "x.json%00.html", ".tokens.lock", "%20", "%0a", "%7f", "%e2%80%ae",
    "link", "link/secret.txt", "name%2f..%2f..%2fsecret.txt", "{job_id}", "{0.__class__}", "%s%n",
]  # fmt: skip
CORPUS = [*ALONE, *(up * times + to for up, times, to in product(WAYS_UP, (1, 3), TARGETS))]
PLACES = ["/{}", "/assets/{}", "/jobs/{}", "/jobs/{}/report", "/orders/{}", "/market/{}"]


def test_the_corpus_is_large_enough() -> None:
    assert len(set(CORPUS)) == len(CORPUS) >= 200


def tree(folder: Path) -> dict[str, int]:
    """Everything there but what every request may change."""
    return {
        path.relative_to(folder).as_posix(): path.lstat().st_ino
        for path in folder.rglob("*")
        if not path.name.startswith(("answers.db", "tokens.json", ".tokens", "session.journal"))
    }


async def refused(
    desk: FaceDesk, method: str, path: str, body: object = None, query: str = ""
) -> None:
    """Ask, as it is spelled, and be told no."""
    desk.asked += 1
    url = URL(desk.face.server.url + quote(path, safe="/%.\\:;&=-~") + query, encoded=True)
    headers = {"Authorization": f"Bearer {desk.tokens[Role.ADMIN]}"}
    kept = () if body is not None else ("Content-Type",)
    async with desk.http.request(
        method, url, headers=headers, json=body, skip_auto_headers=kept
    ) as answer:
        text = await answer.text()
        assert 400 <= answer.status < 500, (path, answer.status)
    for word in (CANARY, "hean_admin_", "root:", "sha256"):
        assert word not in text, (path, word)


async def test_no_spelling_of_a_path_opens_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text(CANARY)
    async with face_desk(tmp_path) as desk:
        data = tmp_path / "data"
        (data / "jobs").mkdir(parents=True)
        (data / "jobs" / "link").symlink_to(tmp_path)
        before = tree(tmp_path)
        for name, place in product(CORPUS, PLACES):
            if not place.format(name).strip("/") or (name, place) == ("", "/jobs/{}"):
                continue  # a page, or a list
            await refused(desk, "GET", place.format(name))
        for name in CORPUS:
            await refused(desk, "DELETE", f"/jobs/{name}", query="?forget=true")
        assert tree(tmp_path) == before


async def test_no_name_in_a_body_opens_or_makes_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text(CANARY)
    async with recorded_desk(tmp_path) as desk:
        ((known,),) = [[each["id"] for each in (await desk.ask("GET", "/data"))[1]]]
        good = {"strategy": "impulse", "symbols": ["BTCUSDT"], "data": [known]}
        before = tree(tmp_path)
        for name in CORPUS:
            for field, value in (
                ("strategy", f"{name}:Class"), ("symbols", [name]), ("data", [name]),
                ("params", {name: 1}), ("bar", name), ("start", name),
            ):  # fmt: skip
                await refused(desk, "POST", "/backtest", good | {field: value})
        assert tree(tmp_path) == before


@pytest.mark.parametrize("kind", ["symbol", "venue", "market", "timeframe"])
def test_the_catalog_makes_no_file_of_a_name(tmp_path: Path, kind: str) -> None:
    source = write_candles(tmp_path, 3, 60).rename(tmp_path / "named-by-nobody.parquet")
    stated = {"symbol": "BTCUSDT", "venue": "binance", "market": "perp", "timeframe": "5m"}
    before = tree(tmp_path)
    for name in CORPUS:
        if kind == "venue" and name.isalnum() and len(name) < 10:
            continue  # a venue may be called so
        with pytest.raises(HeanError):
            Catalog(tmp_path / "data").add(read_columns(source, **stated | {kind: name}))
    assert tree(tmp_path) == before


async def status_of(desk: FaceDesk, path: str) -> int:
    """Of an answer that may be a page."""
    headers = {"Authorization": f"Bearer {desk.tokens[Role.ADMIN]}"}
    async with desk.http.get(desk.face.server.url + path, headers=headers) as answer:
        return int(answer.status)


async def test_a_link_out_of_the_data_directory_is_not_followed(tmp_path: Path) -> None:
    """The record, the results and the report of a job of another place, under good names."""
    async with recorded_desk(tmp_path) as desk:
        _, begun = await desk.ask("POST", "/backtest", ASKED)
        path = f"/jobs/{begun['job_id']}"
        await ended(desk, begun["job_id"])
        folder, outside = tmp_path / "data" / path.lstrip("/"), tmp_path / "outside"
        outside.mkdir()
        for name, query in (("report.html", "?format=html"), ("result.json", "")):
            assert await status_of(desk, f"{path}/report{query}") == 200
            shutil.move(folder / name, outside)
            (folder / name).symlink_to(outside / name)
            assert await status_of(desk, f"{path}/report{query}") == 404
    shutil.move(folder, outside / "whole")
    folder.symlink_to(outside / "whole")
    async with face_desk(tmp_path) as desk:
        assert await desk.ask("GET", "/jobs") == (200, [])
