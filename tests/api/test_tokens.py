# SPDX-License-Identifier: Apache-2.0
"""The keys of the API: what is kept of them, who may read it, and what happens when several
processes or people change them; and `hean token` as a user types it.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from pathlib import Path
from stat import S_IMODE

import pytest

from api.stand_in import DAY_S, Desk, HandClock, bearer
from hean.api.permissions import Role
from hean.api.tickets import TICKETS_MAX, Tickets
from hean.api.tokens import ADMIN_FILE, FILE, TOKENS_MAX, Token, Tokens
from hean.errors import EnvironmentFault, ParameterInvalid
from unit.cli_runs import run_here


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def tokens(tmp_path: Path, clock: HandClock) -> Tokens:
    return Tokens(tmp_path / "data", clock.now)


def mode(path: Path) -> int:
    return S_IMODE(path.stat().st_mode)


@pytest.mark.control("C-39")
def test_of_a_token_only_its_fingerprint_is_kept(tokens: Tokens, tmp_path: Path):
    text, made = tokens.create(Role.TRADER, "alice", days=30)
    assert text.startswith("hean_trader_") and len(text) == len("hean_trader_") + 43
    kept = (tmp_path / "data" / FILE).read_text()
    assert text[-43:] not in kept
    assert hashlib.sha256(text.encode()).hexdigest() in kept
    assert mode(tmp_path / "data" / FILE) == 0o600 and mode(tmp_path / "data") == 0o700
    assert tokens.find(text) is not None and made.name == "alice"


def test_two_tokens_are_never_the_same(tokens: Tokens):
    texts = {tokens.create(Role.VIEWER)[0] for _ in range(20)}
    assert len(texts) == 20


def test_a_token_ends_by_time_or_by_hand(tokens: Tokens, clock: HandClock):
    text, _ = tokens.create(Role.VIEWER, days=1)
    other, kept = tokens.create(Role.VIEWER)
    clock.pass_s(DAY_S - 1)
    assert tokens.find(text) is not None
    clock.pass_s(1)
    assert tokens.find(text) is None
    assert tokens.find(other) is not None and tokens.is_good(kept.id)
    first = tokens.revoke(kept.id)
    clock.pass_s(5)
    assert tokens.revoke(kept.id) == first
    assert tokens.find(other) is None and not tokens.is_good(kept.id)


def test_another_process_is_heard_within_a_second(tmp_path: Path, clock: HandClock):
    here, there = (Tokens(tmp_path, clock.now) for _ in range(2))
    text, kept = there.create(Role.ADMIN)
    assert here.find(text) is not None
    there.revoke(kept.id)
    clock.pass_s(1)
    assert here.find(text) is None


def test_the_last_use_is_written_once_a_minute(tokens: Tokens, clock: HandClock, tmp_path: Path):
    text, _ = tokens.create(Role.VIEWER)
    tokens.find(text)
    first = clock.now_ns
    clock.pass_s(59)
    tokens.find(text)
    assert tokens.all()[0].used_ns == first
    clock.pass_s(1)
    tokens.find(text)
    assert tokens.all()[0].used_ns == clock.now_ns


@pytest.mark.parametrize("text", ["", "hean_admin_", "x" * 100_000, "hean_admin_" + "A" * 43,
                                  "\u00e9", "hean_admin_" + "A" * 42 + "\n"])  # fmt: skip
def test_what_is_no_token_finds_nobody(tokens: Tokens, text: str):
    tokens.create(Role.ADMIN)
    assert tokens.find(text) is None


@pytest.mark.control("C-11")
def test_a_file_that_others_may_read_lets_nobody_in(tokens: Tokens, tmp_path: Path, clock, caplog):
    text, _ = tokens.create(Role.ADMIN)
    for wrong in (0o640, 0o604, 0o660):
        (tmp_path / "data" / FILE).chmod(wrong)
        clock.pass_s(1)
        assert tokens.find(text) is None
        with pytest.raises(ParameterInvalid, match=r"chmod 600"):
            tokens.all()
        with pytest.raises(ParameterInvalid, match=r"chmod 600"):
            tokens.ensure_admin()
    assert "nobody is let in" in caplog.text
    (tmp_path / "data" / FILE).chmod(0o600)
    clock.pass_s(1)
    assert tokens.find(text) is not None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"version":2,"tokens":[]}', b'{"version":1}', b"\xff",
     b'{"version":1,"tokens":[{"id":"a"}]}', b'{"version":1,"tokens":[],"more":1}'],
)  # fmt: skip
def test_a_damaged_file_is_refused_and_not_written_over(tmp_path: Path, content: bytes):
    path = tmp_path / FILE
    path.write_bytes(content)
    path.chmod(0o600)
    for act in (lambda t: t.all(), lambda t: t.create(Role.VIEWER), lambda t: t.ensure_admin()):
        with pytest.raises(ParameterInvalid, match=str(path)):
            act(Tokens(tmp_path))
    assert path.read_bytes() == content


def test_a_link_is_not_followed(tmp_path: Path):
    (tmp_path / "other").write_text('{"version":1,"tokens":[]}')
    (tmp_path / FILE).symlink_to(tmp_path / "other")
    with pytest.raises(EnvironmentFault):
        Tokens(tmp_path).all()


@pytest.mark.control("C-02")
def test_a_role_nobody_knows_lets_nobody_in(tmp_path: Path):
    desk = Desk(tmp_path)
    text, _ = desk.api.access.tokens.create(Role.ADMIN)
    path = tmp_path / FILE
    path.write_text(path.read_text().replace('"admin"', '"root"'))
    desk.clock.pass_s(1)
    assert desk.client.get("/whoami", headers=bearer(text)).status_code == 401


@pytest.mark.parametrize(
    ("name", "days"), [("a\nb", None), ("x" * 65, None), ("\u00e9", None), ("a", 0), ("a", 9_999)]
)
def test_bad_names_and_lives_are_refused(tokens: Tokens, name: str, days: int | None):
    with pytest.raises(ParameterInvalid, match="a token"):
        tokens.create(Role.VIEWER, name, days)
    assert tokens.all() == []


def test_there_is_a_most_of_them(tokens: Tokens, tmp_path: Path):
    _, made = tokens.create(Role.VIEWER)
    path = tmp_path / "data" / FILE
    found = json.loads(path.read_text())
    found["tokens"] *= TOKENS_MAX
    path.write_text(json.dumps(found))
    with pytest.raises(ParameterInvalid, match="1000 tokens"):
        tokens.create(Role.VIEWER)
    assert isinstance(made, Token)


@pytest.mark.control("C-10")
def test_the_first_start_makes_the_owner_a_token(tmp_path: Path, capfd):
    tokens = Tokens(tmp_path / "new")
    path = tokens.ensure_admin()
    assert path == tmp_path / "new" / ADMIN_FILE and mode(path) == 0o600
    found = tokens.find(path.read_text().strip())
    assert found is not None and found.role == "admin"
    assert tokens.ensure_admin() is None  # there are tokens now
    path.unlink()
    assert tokens.ensure_admin() is None
    assert "hean_admin_" not in "".join(capfd.readouterr())


def _create_some(folder: str, times: int) -> None:
    for _ in range(times):
        Tokens(Path(folder)).create(Role.VIEWER)


def test_several_processes_lose_no_token(tmp_path: Path):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_create_some, args=(str(tmp_path), 5)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len(Tokens(tmp_path).all()) == 15


def test_tickets_are_bounded():
    tickets: Tickets[int] = Tickets(30, HandClock().ticks)
    words = [tickets.issue(number) for number in range(TICKETS_MAX + 5)]
    assert len(tickets) == TICKETS_MAX
    assert tickets.redeem(words[0]) is None
    assert tickets.redeem(words[-1]) == TICKETS_MAX + 4
    assert tickets.redeem("x" * 10_000) is None


# ---------------------------------------------------------------- hean token


def token(folder: Path, *words: str):
    return run_here("token", *words, "--data-dir", str(folder))


def test_a_token_is_made_shown_once_listed_and_revoked(tmp_path: Path):
    made = token(tmp_path, "create", "--role", "trader", "--name", "alice", "--days", "30")
    assert made.code == 0
    text = made.stdout.strip()
    assert Tokens(tmp_path).find(text) is not None
    listed = token(tmp_path, "list")
    assert "alice" in listed.stdout and text[-43:] not in listed.stdout
    (kept,) = Tokens(tmp_path).all()
    assert token(tmp_path, "revoke", kept.id).code == 0
    assert "revoked" in token(tmp_path, "list").stdout
    assert Tokens(tmp_path).find(text) is None


def test_the_json_of_each_command(tmp_path: Path):
    made = json.loads(token(tmp_path, "create", "--role", "viewer", "--json", "-").stdout)
    assert made["token"].startswith("hean_viewer_") and made["role"] == "viewer"
    listed = json.loads(token(tmp_path, "list", "--json", "-").stdout)
    assert [each["id"] for each in listed["tokens"]] == [made["id"]]
    assert listed["tokens"][0]["state"] == "good" and "sha256" not in str(listed)
    ended = json.loads(token(tmp_path, "revoke", made["id"], "--json", "-").stdout)
    assert ended["state"] == "revoked"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("create", "--role", "root"), "viewer, operator, trader, risk, admin"),
        (("create", "--role", "viewer", "--days", "0"), "1 to 3650 days"),
        (("create", "--role", "viewer", "--name", "a\nb"), "1 to 64 letters"),
        (("revoke", "nothing"), "hean token list"),
        (("create",), "--role"),
    ],
)
def test_bad_words_end_with_two(tmp_path: Path, words: tuple[str, ...], told: str):
    ran = token(tmp_path, *words)
    assert ran.code == 2
    assert told in ran.stderr
    assert Tokens(tmp_path).all() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_ends_with_three(tmp_path: Path):
    tmp_path.chmod(0o500)
    assert token(tmp_path / "x", "create", "--role", "viewer").code == 3


def test_a_folder_that_is_a_file_ends_with_three(tmp_path: Path):
    (tmp_path / "x").write_text("")
    assert token(tmp_path / "x", "create", "--role", "viewer").code == 3
