# SPDX-License-Identifier: Apache-2.0
"""The gate of 2.9: it opens in exactly one of all combinations, and no near miss is that one."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from desk import Desk
from hean.config import load
from hean.core.types import EventType, KillswitchReleased, KillswitchTriggered, Reconcile
from hean.errors import ParameterInvalid
from hean.live.factors import configured
from hean.risk.live_gate import (
    Configured,
    Factors,
    KeyVerdict,
    LiveGate,
    Role,
    missing,
    phrase_of,
)

ACCOUNT = "24617703"
ROLES: tuple[Role, ...] = get_args(Role)
COLUMNS = ["fresh boot", "restart", "reload"]
SAFE_KEY = KeyVerdict(may_trade=True, may_withdraw=False, is_bound=True)
ALL = Factors(
    "mainnet", ACCOUNT, Configured(True, True, True, False), True, SAFE_KEY, True, "RUN"
)  # fmt: skip


class Boot:
    """A gate on a bus, as a process has it after its start. *confirm*: LIVE_CONFIRM; *dry_run*: the
    line of the file, none without one."""

    def __init__(self, folder: Path, *, role: Role, confirm: str | None, dry_run: str) -> None:
        self.folder = folder
        self.role = role
        self.desk = Desk()
        self.gate = LiveGate(role=role, account_id=ACCOUNT)
        self.desk.system.add(self.gate)
        self.read(confirm, dry_run)
        self.gate.know_key(SAFE_KEY)
        self.desk.say(Reconcile(True))

    def read(self, confirm: str | None, dry_run: str) -> None:
        """Read the settings, now or again. What cannot be read changes nothing."""
        file = self.folder / "hean.toml"
        file.write_text(f"testnet = {str(self.role == 'testnet').lower()}\n{dry_run}\n")
        environ = {} if confirm is None else {"LIVE_CONFIRM": confirm}
        self.gate.configure(configured(load({}, environ, None, file)))


@pytest.mark.promise(116)
@pytest.mark.promise(117)
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("column", COLUMNS)
def test_it_opens_in_exactly_one_of_the_eight_cells(
    tmp_path: Path, role: Role, column: str
) -> None:
    """All 2³ of confirmation, dry run and phrase, at a mainnet and a testnet role, after a fresh
    boot, after a restart (a new process, so the phrase has to be typed anew) and after the settings
    were read again while running."""
    opened = []
    for confirm, dry_run, phrase in itertools.product(
        ("YES", None), ("dry_run = false", ""), (phrase_of(ACCOUNT, role), "")
    ):
        if column == "reload":
            boot = Boot(tmp_path, role=role, confirm=None, dry_run="")
            boot.gate.confirm(phrase)
            boot.read(confirm, dry_run)
        else:
            boot = Boot(tmp_path, role=role, confirm=confirm, dry_run=dry_run)
            boot.gate.confirm(phrase)
        if not boot.gate.why:
            opened.append((confirm, bool(dry_run), bool(phrase)))
        assert bool(boot.gate.missing) is bool(boot.gate.why)
    assert opened == [("YES", True, True)]


@pytest.mark.parametrize("role", ROLES)
def test_after_a_restart_it_is_closed_until_the_phrase_is_typed(tmp_path: Path, role: Role) -> None:
    for _ in range(2):
        boot = Boot(tmp_path, role=role, confirm="YES", dry_run="dry_run = false")
        assert boot.gate.missing == ("the phrase of this boot, typed by a person",)
        boot.gate.confirm(phrase_of(ACCOUNT, role))
        assert boot.gate.missing == ()


CONFIRMATIONS = [
    "yes", "Yes", "yES", "YES ", " YES", "YES\n", "YES\0", "TRUE", "true", "1", "Y", "y", "ja",
    "ＹＥＳ", "YΕS", "УES", "YE\u0405", "YE\u200bS", "YESYES", "'YES'", '"YES"', "", None,
]  # fmt: skip


@pytest.mark.parametrize("confirm", CONFIRMATIONS, ids=ascii)
@pytest.mark.parametrize("role", ROLES)
def test_a_near_miss_of_the_confirmation_never_opens_it(
    tmp_path: Path, confirm: str | None, role: Role
) -> None:
    boot = Boot(tmp_path, role=role, confirm=confirm, dry_run="dry_run = false")
    boot.gate.confirm(phrase_of(ACCOUNT, role))
    assert boot.gate.missing == ("LIVE_CONFIRM in the environment",)
    assert "YES" not in boot.gate.why


DRY_RUNS = [
    "", "dry_run = true", "dry_run = False", "dry_run = FALSE", 'dry_run = "false"', "dry_run = 0",
    'dry_run = "no"', 'dry_run = "off"', 'dry_run = ""', "dry_run = false\ndry_run = false",
    "dry_run = true\ndry_run = false", "DRY_RUN = false", "dry_run = false\nDRY_RUN = false",
    "dry-run = false", "dryrun = false", "dry_run = ｆａｌｓｅ", "[limits]\ndry_run = false",
]  # fmt: skip


@pytest.mark.parametrize("line", DRY_RUNS, ids=ascii)
def test_a_near_miss_of_the_dry_run_never_opens_it(tmp_path: Path, line: str) -> None:
    try:
        boot = Boot(tmp_path, role="mainnet", confirm="YES", dry_run=line)
    except ParameterInvalid:
        return  # such a file starts nothing
    boot.gate.confirm(phrase_of(ACCOUNT, "mainnet"))
    assert boot.gate.missing == ("DRY_RUN switched off in the configuration file",)


@pytest.mark.parametrize("value", [False, "false", "False", "0", "no"])
def test_no_option_and_no_variable_switches_the_dry_run_off(value: object) -> None:
    for options, variables in (({"dry_run": value}, {}), ({}, {"DRY_RUN": str(value)})):
        try:
            found = configured(load(options, {"LIVE_CONFIRM": "YES", **variables}))
        except ParameterInvalid:
            continue
        assert not found.is_wet


def test_the_waiver_of_addresses_counts_from_the_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "hean.toml"
    file.write_text("waive_key_addresses = true\n")
    assert configured(load({}, {}, None, file)).is_address_waived
    assert not configured(load({"waive_key_addresses": True}, {})).is_address_waived


RIGHT = phrase_of(ACCOUNT, "mainnet")


@pytest.mark.parametrize(
    "phrase",
    ["", "live", ACCOUNT, f"live {ACCOUNT}", f"live {ACCOUNT} testnet", f"live {ACCOUNT}1 mainnet",
     RIGHT.upper(), f"{RIGHT} ", f" {RIGHT}", f"{RIGHT}\n", RIGHT.replace(" ", "  "), RIGHT * 2,
     RIGHT[:-1], "live ２４６１７７０３ mainnet", RIGHT.replace("a", "а"), "x" * 100_000],
    ids=lambda phrase: ascii(phrase[:40]),
)  # fmt: skip
def test_a_near_miss_of_the_phrase_never_opens_it(tmp_path: Path, phrase: str) -> None:
    boot = Boot(tmp_path, role="mainnet", confirm="YES", dry_run="dry_run = false")
    assert not boot.gate.confirm(phrase)
    assert boot.gate.missing == ("the phrase of this boot, typed by a person",)
    assert ACCOUNT not in boot.gate.why


def test_without_an_account_no_phrase_is_right() -> None:
    gate = LiveGate(role="mainnet")
    assert not gate.confirm(phrase_of("", "mainnet"))
    assert "the account's id" in gate.missing


def test_a_phrase_for_another_account_does_not_count() -> None:
    gate = LiveGate(role="testnet", account_id="1")
    assert gate.confirm(phrase_of("1", "testnet"))
    gate.know_account("1")
    assert "the phrase of this boot, typed by a person" not in gate.missing
    gate.know_account("2")
    assert "the phrase of this boot, typed by a person" in gate.missing


def test_a_wrong_phrase_takes_the_right_one_back() -> None:
    gate = LiveGate(role="mainnet", account_id=ACCOUNT)
    assert gate.confirm(RIGHT)
    assert not gate.confirm("something else")
    assert "the phrase of this boot, typed by a person" in gate.missing


# ---------------------------------------------------------------- every factor


LACKING = {
    "LIVE_CONFIRM": {"configured": Configured(False, True, True, False)},
    "DRY_RUN": {"configured": Configured(True, False, True, False)},
    "account's id": {"account_id": ""},
    "phrase": {"is_typed": False},
    "venue address": {"configured": Configured(True, True, False, False)},
    "may trade": {"key": KeyVerdict(False, False, True)},
    "may not withdraw": {"key": KeyVerdict(True, True, True)},
    "bound to addresses": {"key": KeyVerdict(True, False, False)},
    "reconcile": {"is_clean": False},
    "kill switch": {"level": "HALT_NEW"},
}


@pytest.mark.control("C-14")
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("words", LACKING)
def test_each_factor_alone_closes_it_and_is_named(words: str, role: Role) -> None:
    factors = msgspec.structs.replace(ALL, role=role)
    assert missing(factors) == ()
    (said,) = missing(msgspec.structs.replace(factors, **LACKING[words]))
    assert words in said


@pytest.mark.control("C-14")
@pytest.mark.parametrize(
    ("key", "role", "count"),
    [
        (KeyVerdict(), "mainnet", 3),
        (KeyVerdict(), "testnet", 1),
        (KeyVerdict(True, None, True), "mainnet", 1),
        (KeyVerdict(True, None, True), "testnet", 0),
        (KeyVerdict(None, True, True), "testnet", 1),
    ],
)
def test_what_a_venue_does_not_tell_of_a_key_counts_against_it_where_money_is(
    key: KeyVerdict, role: Role, count: int
) -> None:
    assert len(missing(msgspec.structs.replace(ALL, role=role, key=key))) == count


@pytest.mark.control("C-14")
def test_addresses_may_be_waived_but_nothing_else_of_a_key() -> None:
    waived = msgspec.structs.replace(ALL, configured=Configured(True, True, True, True))
    assert missing(msgspec.structs.replace(waived, key=KeyVerdict(True, False, False))) == ()
    assert len(missing(msgspec.structs.replace(waived, key=KeyVerdict(False, True, False)))) == 2


# ---------------------------------------------------------------- while running


def open_boot(folder: Path) -> Boot:
    boot = Boot(folder, role="mainnet", confirm="YES", dry_run="dry_run = false")
    boot.gate.confirm(RIGHT)
    assert boot.gate.why == ""
    return boot


@pytest.mark.parametrize(
    "change",
    [
        lambda boot: boot.read(None, "dry_run = false"),
        lambda boot: boot.read("YES", ""),
        lambda boot: boot.gate.confirm("no"),
        lambda boot: boot.gate.know_key(KeyVerdict(True, True, True)),
    ],
)
def test_a_factor_that_goes_closes_it_before_the_next_order_and_asks_for_a_stop(
    tmp_path: Path, change: object
) -> None:
    boot = open_boot(tmp_path)
    change(boot)  # type: ignore[operator]  # one of the above
    assert boot.gate.why != ""
    boot.desk.say()
    (command,) = boot.desk.of(EventType.COMMAND)
    assert (command.verb, command.actor) == ("kill", "auto:live_gate")
    assert command.arguments["level"] == "HALT_NEW"
    assert command.arguments["reason"] == boot.gate.why


def test_books_in_doubt_close_it_only_while_they_are(tmp_path: Path) -> None:
    """Whether a difference is worth a latch is for the reconciler to say."""
    boot = open_boot(tmp_path)
    boot.desk.say(Reconcile(False, ("an order is missing",)))
    assert boot.gate.missing == ("books that are the venue's (reconcile)",)
    boot.desk.say(Reconcile(True))
    assert boot.gate.why == ""
    assert boot.desk.of(EventType.COMMAND) == []


def test_the_kill_switch_closes_it_and_a_release_opens_it_again(tmp_path: Path) -> None:
    boot = open_boot(tmp_path)
    boot.desk.say(KillswitchTriggered("a test", 1, "HALT_NEW"))
    assert boot.gate.missing == ("the kill switch at RUN",)
    assert boot.desk.of(EventType.COMMAND) == []  # it is the kill switch already
    boot.desk.say(KillswitchReleased("looked at it", 2, "risk:bob"))
    assert boot.gate.why == ""


def test_a_restored_level_closes_it() -> None:
    gate = LiveGate(role="testnet", account_id=ACCOUNT)
    gate.know_level("CANCEL_ALL")
    assert "the kill switch at RUN" in gate.missing
