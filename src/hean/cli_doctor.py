# SPDX-License-Identifier: Apache-2.0
"""`hean doctor`: machine and account, looked over before money is at stake. It only looks: nothing
is set, sent, cancelled or repaired, and no secret is shown. Without a key no venue is asked
anything.
"""

from __future__ import annotations

from typing import Any

import msgspec
import typer
from rich import box
from rich.table import Table

from hean import cli_options as options
from hean.cli_common import (
    DebugOption,
    ExitCode,
    JsonOption,
    run_command,
    table_console,
    write_json,
)
from hean.cli_live import live_settings
from hean.cli_session import VenueOptions, joined, with_options
from hean.config import Settings, live_endpoints_of, live_market, signer_of
from hean.doctor import machine
from hean.doctor.account import ASKED, Examination
from hean.doctor.findings import Finding, Verdict, fail, ok, unasked, warn, worst
from hean.errors import HeanError, ParameterInvalid
from hean.live.parts import real_parts
from hean.live.recovery import Books
from hean.live.settings import LiveSettings
from hean.net.loop import run as run_loop
from hean.venues.endpoints import Endpoints

STYLES = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red", Verdict.UNASKED: "dim"}


def mount(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(
        "doctor",
        epilog="Example: hean doctor --config hean.toml --json -. Exit 0: fit, perhaps with "
        "warnings; 1: something must be put right first; 3: machine or network lack something.",
    )(doctor)


@run_command
@with_options
def doctor(
    venue: VenueOptions,
    *,
    symbols: options.SymbolsOption = None,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Look over versions, clock, disk, journal, addresses, key and account."""
    findings = machine.versions()
    try:
        known = venue.settings(symbols=joined(symbols))
        live_market(known)
    except ParameterInvalid as error:
        what = "correct it; nothing else was looked at"
        findings.append(fail("configuration", error.message, "readable, no conflict", what))
    else:
        findings += _examined(known)
    code = exit_code(findings)
    if json_to is not None:
        document: dict[str, Any] = {
            "verdict": worst(findings),
            "exit_code": int(code),
            "findings": msgspec.to_builtins(findings),
        }
        write_json(document, json_to)
    _show(findings, json_to)
    if code is not ExitCode.DONE:
        raise typer.Exit(code)


def exit_code(findings: list[Finding]) -> ExitCode:
    """A fault of the machine alone is one of the environment."""
    failed = [finding for finding in findings if finding.verdict is Verdict.FAIL]
    if not failed:
        return ExitCode.DONE
    is_environment = all(finding.is_environment for finding in failed)
    return ExitCode.ENVIRONMENT if is_environment else ExitCode.BAD_RESULT


def _examined(known: Settings) -> list[Finding]:
    settings, parts = live_settings(known), real_parts()
    journal, books = machine.journal(settings)
    return [
        _configuration(known),
        *machine.directory(settings.data_dir, parts),
        journal,
        machine.lock(settings),
        machine.latch(settings, books, parts),
        machine.port(known.hean_api_port),
        *_venue(known, settings, books),
    ]


def _configuration(known: Settings) -> Finding:
    role = "testnet" if known.testnet else "mainnet"
    text = f"{known.exchange} {live_market(known)} {role}, {len(known.origins)} settings given"
    if known.warnings:
        text += f"; {' '.join(known.warnings)}"
        return warn("configuration", text, "nothing to warn about", "see hean settings")
    return ok("configuration", text)


def _venue(known: Settings, settings: LiveSettings, books: Books | None) -> list[Finding]:
    endpoints = live_endpoints_of(known)
    found = [_addresses(endpoints)]
    if not any((known.api_key, known.bybit_api_key, known.binance_api_key)):
        return [*found, *unasked(ASKED, "no key")]
    try:
        signer = signer_of(known)
    except HeanError as error:
        half = fail("key", error.message, "key and secret", "give both halves")
        return [*found, half, *unasked((each for each in ASKED if each != "key"), "no key")]
    examination = Examination(
        settings,
        endpoints,
        signer,
        real_parts(),
        books=books,
        is_waived=known.waive_key_addresses is True,
    )
    return [*found, *run_loop(examination.run())]


def _addresses(endpoints: Endpoints) -> Finding:
    """Whose network all of them are in; mixed and unencrypted ones have been refused."""
    urls = (endpoints.rest, endpoints.public, endpoints.private, endpoints.trade)
    hosts = ", ".join(dict.fromkeys(urls))
    if endpoints.network == "local":
        what = "unset the address variables to reach the venue itself"
        return warn("addresses", f"this machine: {hosts}", "the venue's own, by TLS", what)
    return ok("addresses", f"all of {endpoints.network}, by TLS: {hosts}")


def _show(findings: list[Finding], json_to: str | None) -> None:
    console = table_console(json_to)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("what", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("found", overflow="fold", ratio=3)
    table.add_column("expected, and what to do", overflow="fold", ratio=2)
    for each in findings:
        remedy = f"{each.expected}: {each.remedy}" if each.expected else ""
        verdict = f"[{STYLES[each.verdict]}]{each.verdict.value}[/]"
        table.add_row(each.name, verdict, each.found, remedy)
    console.print(table, highlight=False)
    counts = {each: sum(finding.verdict is each for finding in findings) for each in Verdict}
    console.print(", ".join(f"{count} {each.value}" for each, count in counts.items() if count))
