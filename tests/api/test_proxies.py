# SPDX-License-Identifier: Apache-2.0
"""Whose address counts behind a proxy (C-15): theirs whom a proxy of the settings speaks for, and
nobody's who says so himself.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.stand_in import BASE, Desk, bearer
from hean.api.permissions import Role
from hean.api.proxies import Proxies
from hean.config import load
from hean.errors import ParameterInvalid

NETWORK = "172.20.0.0/16"
PROXY, OTHER_PROXY, STRANGER = "172.20.0.5", "172.20.0.6", "198.51.100.7"
GUESS = bearer("hean_admin_" + "A" * 43)

pytestmark = pytest.mark.control("C-15")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, load({}, {"HEAN_TRUSTED_PROXIES": f"{NETWORK}, 2001:db8::5"}))


def asked(desk: Desk, peer: str, header: dict[str, str], forwarded: str = "") -> int:
    """The status of an answer to somebody at *peer*, which may say whom it speaks for."""
    client = TestClient(desk.api, base_url=BASE, client=(peer, 5000))
    said = {"X-Forwarded-For": forwarded} if forwarded else {}
    return client.get("/positions", headers=header | said).status_code


@pytest.mark.parametrize(
    ("peer", "forwarded", "counts"),
    [
        (PROXY, b"203.0.113.9", "203.0.113.9"),
        (PROXY, None, PROXY),
        (PROXY, b"", PROXY),
        (PROXY, b"unknown", PROXY),
        (PROXY, b"203.0.113.9:4711", PROXY),
        (PROXY, b"1.2.3.4, 203.0.113.9", "203.0.113.9"),  # what the asker said comes first
        (PROXY, b"203.0.113.9, 172.20.0.6", "203.0.113.9"),  # through two of ours
        (PROXY, b"evil, 172.20.0.6", OTHER_PROXY),
        (PROXY, b"172.20.9.9", "172.20.9.9"),  # somebody of the same network
        ("2001:db8::5", b"2001:db8::77", "2001:db8::77"),
        ("::ffff:172.20.0.5", b"::ffff:203.0.113.9", "203.0.113.9"),
        (STRANGER, b"203.0.113.9", STRANGER),
        ("", b"203.0.113.9", ""),
    ],
)
def test_whose_address_counts(peer: str, forwarded: bytes | None, counts: str) -> None:
    assert Proxies([NETWORK, "2001:db8::5"]).asker(peer, forwarded) == counts


def test_without_a_proxy_of_ours_nobody_is_believed() -> None:
    assert Proxies().asker(PROXY, b"203.0.113.9") == PROXY


@pytest.mark.parametrize("word", ["172.20.0.5/16", "0.0.0.0/0", "::/0", "1.2.3", "1.2.3.4/40"])
def test_what_is_no_address_and_no_network_is_refused(word: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterInvalid, match="trusted proxy"):
        Desk(tmp_path, load({}, {"HEAN_TRUSTED_PROXIES": word}))


@pytest.mark.parametrize("word", ["*", "proxy", "1.2.3.4,,5.6.7.8"])
def test_a_name_or_a_wildcard_is_refused_where_it_stands(word: str) -> None:
    with pytest.raises(ParameterInvalid, match="HEAN_TRUSTED_PROXIES"):
        load({}, {"HEAN_TRUSTED_PROXIES": word})


@pytest.mark.control("C-39")
def test_who_guesses_behind_a_proxy_locks_nobody_else_out(desk: Desk) -> None:
    tries = [asked(desk, PROXY, GUESS, "203.0.113.9") for _ in range(6)]
    assert tries == [401] * 5 + [429]
    assert asked(desk, PROXY, GUESS, "203.0.113.10") == 401
    assert asked(desk, PROXY, GUESS) == 401, "the proxy itself has guessed nothing"
    assert asked(desk, PROXY, desk.as_role(Role.VIEWER), "203.0.113.9") == 200


def test_a_stranger_cannot_choose_whose_limits_count(desk: Desk) -> None:
    tries = [asked(desk, STRANGER, GUESS, f"203.0.113.{number}") for number in range(6)]
    assert tries == [401] * 5 + [429]
    assert asked(desk, PROXY, GUESS, f"203.0.113.1, {STRANGER}") == 429, "nor by a proxy"
