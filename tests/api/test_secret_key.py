# SPDX-License-Identifier: Apache-2.0
"""What `SECRET_KEY` means (PROMISES 132), and the settings that say by which names and from which
pages the API is called (C-05, C-06, C-08).
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path

import msgspec
import pytest
from starlette.testclient import TestClient

from api.stand_in import Desk, bearer
from hean.api.face import Face
from hean.api.permissions import Role
from hean.api.tokens import ADMIN_FILE, FILE, Tokens
from hean.cli_beside import ATTENDED, face_beside
from hean.config import Settings, load
from hean.engine import EngineFacade
from hean.errors import ParameterInvalid
from hean.net.bind import Bind
from hean.secret import Secret
from venue_contract.twin_process import wait_until

KEY, OTHER = Secret("5f" * 32), Secret("6e" * 32)


@pytest.mark.promise(132)
def test_a_token_counts_under_the_key_that_signed_it_alone(tmp_path: Path) -> None:
    text, token = Tokens(tmp_path, key=KEY).create(Role.ADMIN)
    plain, _ = Tokens(tmp_path).create(Role.VIEWER)
    kept = (tmp_path / FILE).read_text()
    assert hashlib.sha256(text.encode()).hexdigest() not in kept and KEY.reveal() not in kept
    for key, lets_in in ((KEY, [text]), (OTHER, []), (None, [plain])):
        tokens = Tokens(tmp_path, key=key)
        assert [each for each in (text, plain) if tokens.find(each)] == lets_in
        assert tokens.is_good(token.id) is (key == KEY)
        assert len(tokens.all()) == 2  # they are shown, and can be revoked, all the same


@pytest.mark.promise(132)
def test_who_can_write_the_file_but_has_no_key_makes_no_token(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path, key=KEY)
    tokens.create(Role.VIEWER)
    forged = f"hean_admin_{'a' * 43}"
    document = msgspec.json.decode((tmp_path / FILE).read_bytes())
    document["tokens"][0] |= {
        "sha256": hashlib.sha256(forged.encode()).hexdigest(), "role": "admin"
    }  # fmt: skip
    (tmp_path / FILE).write_bytes(msgspec.json.encode(document))
    assert Tokens(tmp_path, key=KEY).find(forged) is None


def test_the_api_takes_the_key_of_the_settings(tmp_path: Path) -> None:
    here = Desk(tmp_path, load({}, {"SECRET_KEY": KEY.reveal()}))
    text, _ = here.api.access.tokens.create(Role.VIEWER)
    assert here.client.get("/whoami", headers=bearer(text)).status_code == 200
    there = Desk(tmp_path, load({}, {"SECRET_KEY": OTHER.reveal()}))
    assert there.client.get("/whoami", headers=bearer(text)).status_code == 401


@pytest.mark.parametrize("way", ["variable", "file"])
def test_the_page_beside_a_live_engine_signs_by_the_same_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """The variable is taken out of the environment when it is read, and handed on for all that;
    the keys of the venue are not.
    """
    (tmp_path / "key").touch(0o600)
    (tmp_path / "key").write_text(KEY.reveal())
    given = KEY.reveal() if way == "variable" else str(tmp_path / "key")
    name = "SECRET_KEY" if way == "variable" else "SECRET_KEY_FILE"
    monkeypatch.setenv(name, given)
    monkeypatch.setenv("BYBIT_API_SECRET", "a" * 40)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    known = load({}, {name: given, "HEAN_DATA_DIR": str(tmp_path / "data")})
    if way == "variable":
        monkeypatch.delenv(name)
    with face_beside(0, known, None):
        admin = tmp_path / "data" / ADMIN_FILE
        wait_until(admin.exists, "a token", timeout_s=60)
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        (child,) = (
            place for each in children
            if ATTENDED in ((place := Path("/proc") / each) / "cmdline").read_text()
        )  # fmt: skip
        assert "API_SECRET" not in (child / "environ").read_text()
        assert KEY.reveal() not in (child / "cmdline").read_text()
        text = admin.read_text().strip()
    assert Tokens(tmp_path / "data", key=KEY).find(text)
    assert Tokens(tmp_path / "data").find(text) is None


def face_of(folder: Path, settings: Settings, bind: Bind) -> Face:
    """A face whose engine is never started."""

    def nobody() -> None:
        raise AssertionError

    facade = EngineFacade(nobody, now=time.time_ns)  # type: ignore[arg-type]
    return Face(facade, folder, settings, bind)


@pytest.mark.control("C-08")
@pytest.mark.promise(132)
def test_beyond_loopback_the_key_is_required(tmp_path: Path) -> None:
    outside = Bind("0.0.0.0", 0, tmp_path / "cert.pem", tmp_path / "key.pem", True)
    with pytest.raises(ParameterInvalid, match="SECRET_KEY"):
        face_of(tmp_path, load({}, {}), outside)
    face_of(tmp_path, load({}, {"SECRET_KEY": KEY.reveal()}), outside)
    face_of(tmp_path, load({}, {}), Bind(port=0))


@pytest.mark.control("C-05")
@pytest.mark.control("C-06")
def test_hosts_and_origins_are_those_of_the_settings(tmp_path: Path) -> None:
    settings = load(
        {},
        {
            "SECRET_KEY": KEY.reveal(),
            "HEAN_ALLOWED_HOSTS": "desk.example, hean",
            "HEAN_ALLOWED_ORIGINS": "https://desk.example:3000",
        },
    )
    bind = Bind("192.0.2.7", 0, tmp_path / "cert.pem", tmp_path / "key.pem", True)
    face = face_of(tmp_path, settings, bind)
    for host, status in (
        ("desk.example", 200), ("hean:8000", 200), ("192.0.2.7", 200), ("localhost", 200),
        ("evil.example", 421), ("desk.example.evil.example", 421), ("0.0.0.0", 421),
    ):  # fmt: skip
        client = TestClient(face.api, base_url=f"http://{host}")
        assert client.get("/health/live").status_code == status, host
    client = TestClient(face.api, base_url="http://localhost")
    for origin, status in (
        ("https://desk.example:3000", 200), ("https://desk.example", 403), ("null", 403)
    ):  # fmt: skip
        answer = client.get("/health/live", headers={"Origin": origin})
        assert answer.status_code == status, origin


@pytest.mark.control("C-05")
@pytest.mark.control("C-06")
@pytest.mark.parametrize("name", ["HEAN_ALLOWED_HOSTS", "HEAN_ALLOWED_ORIGINS"])
@pytest.mark.parametrize(
    "text",
    ["*", "*.example", "https://*", "null", ",", "a,,b", "desk.example:80", "Desk.example", "a b",
     "https://desk.example/", "https://desk.example/x", "ftp://desk.example",
     "b\u00fccher.example"],
)  # fmt: skip
def test_no_wildcard_and_nothing_vague_can_be_allowed(name: str, text: str) -> None:
    if name.endswith("HOSTS") and text == "null":
        return  # as the name of a machine it is one
    with pytest.raises(ParameterInvalid, match=name):
        load({}, {name: text})
