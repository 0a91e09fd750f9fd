# SPDX-License-Identifier: Apache-2.0
"""`hean alerts`: what was told, and the test of every destination, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from alert_desk import black_hole, mail_server, webhook
from hean.config import load, masked
from hean.observe.alert_rules import RULES, Alert
from hean.observe.alert_store import DELIVERED, AlertStore

CANARY = "canary-4711-token"


def run(*words: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if "HEAN" not in name}
    return subprocess.run(
        [sys.executable, "-m", "hean", "alerts", *words],
        cwd=folder, env={**environ, "HEAN_DATA_DIR": str(folder), **variables},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


def test_a_test_reaches_every_destination(tmp_path: Path):
    with webhook() as hook, mail_server() as (port, mails):
        mail = f"mailto://127.0.0.1:{port}?from=hean@example.com&to=ops@example.com&mode=insecure"
        secret = tmp_path / "hook"
        secret.write_text(hook.url(CANARY) + "\n")
        secret.chmod(0o600)
        found = run(
            "test", "--json", "-", folder=tmp_path, HEAN_ALERTS_WEBHOOK_FILE=str(secret),
            HEAN_ALERTS_MAIL=mail,
        )  # fmt: skip
        assert found.returncode == 0, found.stderr
        assert json.loads(found.stdout)["destinations"] == [
            {"to": "mail", "delivered": True, "reason": ""},
            {"to": "webhook", "delivered": True, "reason": ""},
        ]
        assert hook.titles == ["HEAN test"] and mails[0]["Subject"] == "HEAN test"
        only = run("test", "--to", "mail", folder=tmp_path, HEAN_ALERTS_MAIL=mail)
        assert (only.returncode, only.stdout) == (0, "mail: delivered\n")


def test_a_destination_that_fails_is_named_and_its_address_is_not(tmp_path: Path):
    with webhook() as hook, black_hole() as port:
        hook.status = 404
        found = run(
            "test", folder=tmp_path, HEAN_ALERTS_WEBHOOK=hook.url(CANARY),
            HEAN_ALERTS_OTHER=f"json://user:{CANARY}@127.0.0.1:{port}/?rto=1",
        )  # fmt: skip
    assert found.returncode == 1
    assert "webhook: NOT delivered: Failed to send" in found.stdout and "404" in found.stdout
    assert "other: NOT delivered" in found.stdout
    assert CANARY not in found.stdout + found.stderr


@pytest.mark.parametrize(
    ("variable", "address", "words"),
    [
        ("HEAN_ALERTS_SLACK", f"https://hooks.slack.com/{CANARY}", "slack://..."),
        ("HEAN_ALERTS_OTHER", f"nonsense://{CANARY}", "not an address that Apprise understands"),
        ("HEAN_ALERTS_WEBHOOK", f"jsons://h/{CANARY}?verify=no", "check of certificates"),
        ("HEAN_ALERTS_SLAK", f"slack://{CANARY}", "nearest HEAN_ALERTS_SLACK"),
        ("HEAN_ALERTS_MAIL", f"mailtos://a b:{CANARY}@h", "a blank in it"),
    ],
)
def test_a_bad_address_is_refused_without_being_repeated(
    tmp_path: Path, variable: str, address: str, words: str
):
    found = run("test", folder=tmp_path, **{variable: address})
    assert found.returncode == 2 and words in found.stderr
    assert CANARY not in found.stdout + found.stderr


def test_without_destinations_there_is_nothing_to_test(tmp_path: Path):
    found = run("test", folder=tmp_path)
    assert found.returncode == 2 and "HEAN_ALERTS_SLACK_FILE" in found.stderr


def test_without_apprise_it_is_said_how_to_get_it():
    code = (
        "import sys, importlib.util as u; u.find_spec = lambda name: None\n"
        "sys.argv = ['hean', 'alerts', 'test']; from hean.cli import main; main()"
    )
    environ = {**os.environ, "HEAN_ALERTS_SLACK": "slack://a/b/c"}
    found = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False
    )
    assert found.returncode == 3 and "./hean setup notify" in found.stderr


def test_what_was_told_is_shown(tmp_path: Path):
    assert "no alerts" in run(folder=tmp_path).stdout
    store = AlertStore(tmp_path)
    store.settle(
        store.add(Alert.of("started", "PAPER", 5), "s", "paper on bybit", ["mail"]),
        "mail", DELIVERED, tries=1,
    )  # fmt: skip
    missed = store.add(Alert.of("kill_switch", "[red] FLATTEN", 7), "s", "paper", ["mail", "slack"])
    store.settle(missed, "slack", DELIVERED, tries=1)
    store.settle(missed, "mail", "undelivered", tries=5, reason="no route")
    store.close()
    shown = run(folder=tmp_path)
    assert shown.returncode == 0 and "1 not delivered everywhere" in shown.stdout
    assert "[red] FLATTEN" in shown.stdout and "mail: undelivered no route" in shown.stdout
    found = json.loads(run("--missed", "--json", "-", folder=tmp_path).stdout)
    assert found["undelivered"] == 1 and [a["rule"] for a in found["alerts"]] == ["kill_switch"]
    assert found["alerts"][0]["deliveries"][0] == {
        "to": "mail", "state": "undelivered", "tries": 5, "reason": "no route",
    }  # fmt: skip


def test_a_damaged_file_is_said_so(tmp_path: Path):
    (tmp_path / "alerts.db").write_bytes(b"rubbish" * 1_000)
    found = run(folder=tmp_path)
    assert found.returncode == 3 and "cannot be read" in found.stderr


def test_the_rules_are_shown_and_written_down(tmp_path: Path, root: Path):
    found = json.loads(run("rules", "--json", "-", folder=tmp_path).stdout)
    assert set(found) == set(RULES) and found["silent"]["severity"] == "critical"
    text = (root / "docs" / "alerts.md").read_text()
    for name, rule in RULES.items():
        lasting = f"{rule.lasting_s:g} s" if rule.lasting_s else ""
        assert f"| `{name}` | {rule.severity} | {lasting} | {rule.meaning} |" in text


def test_addresses_are_masked_in_settings_and_unknown_names_refused(tmp_path: Path):
    file = tmp_path / "hean.toml"
    secret = tmp_path / "slack"
    secret.write_text(f"slack://a/b/{CANARY}")
    secret.chmod(0o600)
    file.write_text(f'[alerts]\nslack_file = "{secret}"\nslack_from = "critical"\nsilent_s = 30\n')
    known = load({}, {"HEAN_CONFIG": str(file)})
    assert known.alerts.slack is not None and CANARY in known.alerts.slack.reveal()
    assert (known.alerts.slack_from, known.alerts.silent_s) == ("critical", 30)
    shown = {each.key: each.value for each in masked(known)}
    assert shown["alerts.slack"] == "***" and shown["alerts.mail"] is None
    assert CANARY not in repr(masked(known)) + repr(known)
    for line, words in (
        ('slak_from = "info"', "nearest alerts.slack_from"),
        ('slack = "slack://x"', "alerts.slack"),
        ('slack_from = "loud"', "info, warning, critical"),
        ("silent_s = 1", "from 5"),
    ):
        file.write_text(f"[alerts]\n{line}\n")
        with pytest.raises(Exception, match=words):
            load({}, {"HEAN_CONFIG": str(file)})
