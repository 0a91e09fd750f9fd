# SPDX-License-Identifier: Apache-2.0
"""`hean twin`: an exchange on this machine that real clients believe. The command reads options and
keys, starts the twin, says where it is and serves until Ctrl-C. A secret is never printed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from hean import cli_values as values
from hean.cli_common import (
    DATA_DIR_DEFAULT,
    STANDARD_OUTPUT,
    DataDirOption,
    DebugOption,
    run_command,
    say,
    write_json,
)
from hean.cli_output import OTHER_NAME, check_target
from hean.cli_twin_keys import GivenKey, keys_of, wipe_from_title
from hean.errors import ParameterInvalid
from hean.net.loop import run as run_loop
from hean.twin.build import Twin, TwinSettings
from hean.twin.faults.file import load_faults
from hean.twin.faults.settings import Setting
from hean.watchdog import end_on_signals

SPEED_MAX = 3600.0
LIMITS_SCALE_MAX = 1_000_000.0
DURATION_S_MAX = 366 * 86_400.0  # longer than any process is left alone
PROGRESS_S = 1.0
SEED_MAX = 2**63 - 1
EPILOG = (
    "Example: hean twin --exchange bybit --port 7001 --control-port 7002 --generate --seed 7. "
    "Exit codes: 0 ended by Ctrl-C or --duration; 2 a bad option, key, data or fault file; "
    "3 port taken or no disk."
)


class Exchange(StrEnum):
    """Whose wire it speaks."""

    BYBIT = "bybit"
    BINANCE = "binance"


class Market(StrEnum):
    """Where recorded data belongs."""

    LINEAR = "linear"
    SPOT = "spot"


def _port(text: str) -> Any:
    return typer.Option(min=0, max=65_535, metavar="N", help=text)


def _word(name: str, text: str) -> Any:
    return typer.Option(name, metavar="TEXT", help=text, rich_help_panel="Keys")


ExchangeOption = Annotated[Exchange, typer.Option(help="Whose wire it speaks.")]
PortOption = Annotated[int, _port("Of clients; 0 is any free one.")]
ControlPortOption = Annotated[int, _port("Of state, faults and prices; 0 is any free one.")]
HostOption = Annotated[str, typer.Option(help="A loopback address.")]
DataOption = Annotated[
    list[Path] | None, typer.Option("--data", metavar="FILE", help="Recorded; may be repeated.")
]
GenerateOption = Annotated[
    bool, typer.Option("--generate", help="A generated market; so it is without --data.")
]
SymbolsOption = Annotated[
    list[str] | None,
    typer.Option("--symbols", metavar="SYMBOL,...", help="Which; needed with --data."),
]
MarketOption = Annotated[Market, typer.Option(help="Of recorded data.")]
SeedOption = Annotated[int, typer.Option(min=0, max=SEED_MAX, help="Of market and faults.")]
SpeedOption = Annotated[float, typer.Option(help="Market seconds per second.")]
ScaleOption = Annotated[float, typer.Option(help="Widens every rate limit, for load tests.")]
KeyOption = Annotated[str | None, _word("--key", "Else HEAN_TWIN_KEY, else one is made.")]
SecretOption = Annotated[str | None, _word("--secret", "Else HEAN_TWIN_SECRET or ..._FILE.")]
Key2Option = Annotated[str | None, _word("--key2", "Of a second account.")]
Secret2Option = Annotated[str | None, _word("--secret2", "Else HEAN_TWIN_SECRET2 or ..._FILE.")]
ReadKeyOption = Annotated[str | None, _word("--readonly-key", "May not trade.")]
ReadSecretOption = Annotated[
    str | None, _word("--readonly-secret", "Else HEAN_TWIN_READONLY_SECRET or ..._FILE.")
]
LedgerOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="What really happened, as JSON lines.")
]
FaultsOption = Annotated[Path | None, typer.Option(metavar="FILE", help="Fault dials: TOML, JSON.")]
DurationOption = Annotated[
    float | None,
    typer.Option(min=0.1, max=DURATION_S_MAX, metavar="S", help="Ends it; otherwise Ctrl-C does."),
]
JsonLinesOption = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE|-", help="Addresses when ready, totals at the end."),
]


def mount(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("twin", epilog=EPILOG)(twin)


@run_command
def twin(
    *,
    exchange: ExchangeOption,
    port: PortOption = 0,
    control_port: ControlPortOption = 0,
    host: HostOption = "127.0.0.1",
    data: DataOption = None,
    generate: GenerateOption = False,
    symbols: SymbolsOption = None,
    market: MarketOption = Market.LINEAR,
    seed: SeedOption = 7,
    speed: SpeedOption = 1.0,
    limits_scale: ScaleOption = 1.0,
    key: KeyOption = None,
    secret: SecretOption = None,
    key2: Key2Option = None,
    secret2: Secret2Option = None,
    readonly_key: ReadKeyOption = None,
    readonly_secret: ReadSecretOption = None,
    ledger: LedgerOption = None,
    faults: FaultsOption = None,
    duration: DurationOption = None,
    json_to: JsonLinesOption = None,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    debug: DebugOption = False,
) -> None:
    """Run the venue twin: the real wire of an exchange, on loopback, with a market and faults."""
    wipe_from_title([word for word in (secret, secret2, readonly_secret) if word])
    given = {
        "main": GivenKey(key, secret),
        "second": GivenKey(key2, secret2),
        "readonly": GivenKey(readonly_key, readonly_secret),
    }
    if data and generate:
        raise ParameterInvalid("--data and --generate exclude each other; give one.")
    if json_to not in (None, STANDARD_OUTPUT):
        check_target("--json", Path(str(json_to)), is_ours=_is_ours, remedy=OTHER_NAME)
    dials = [] if faults is None else load_faults(faults)
    keys, key_file = keys_of(given, os.environ, data_dir)
    settings = TwinSettings(
        exchange=exchange.value,
        keys=keys,
        host=_loopback(host),
        port=port,
        control_port=control_port,
        seed=seed,
        speed=values.fraction_of(speed, "--speed", high=SPEED_MAX),
        files=tuple(values.files_of(data)) if data else (),
        symbols=_symbols(symbols or ()),
        market=market.value,
        ledger=ledger,
        limits_scale=values.fraction_of(limits_scale, "--limits-scale", high=LIMITS_SCALE_MAX),
    )
    Serving(settings, dials, json_to=json_to, key_file=key_file).run(duration)


class Serving:
    """One run of the command."""

    def __init__(
        self,
        settings: TwinSettings,
        dials: Sequence[Setting],
        *,
        json_to: str | None,
        key_file: Path | None,
    ) -> None:
        self.settings = settings
        self.dials = dials
        self.json_to = json_to
        self.key_file = key_file
        self.twin = Twin(settings)

    def run(self, duration_s: float | None) -> None:
        """Serve until Ctrl-C or the end of *duration_s*."""
        run_loop(self._serve(duration_s))

    async def _serve(self, duration_s: float | None) -> None:
        ended = asyncio.Event()
        end_on_signals(ended)
        for dial in self.dials:
            self.twin.faults.set(dial)
        await self.twin.start()
        document = ready_document(self.twin)
        self._tell_ready(document)
        showing = asyncio.get_running_loop().create_task(self._show())
        try:
            async with asyncio.timeout(duration_s):
                await self._until(ended)
        except TimeoutError:
            pass
        finally:
            showing.cancel()
            await self.twin.stop()
        self._tell_totals(document)

    async def _until(self, ended: asyncio.Event) -> None:
        """Wait for the end. *Raises*: what broke the twin, if something did."""
        waits = [asyncio.ensure_future(each) for each in (ended.wait(), self.twin.watch())]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
        for each in done:
            each.result()

    def _tell_ready(self, document: dict[str, Any]) -> None:
        if self.json_to == STANDARD_OUTPUT:
            sys.stdout.write(json.dumps(document) + "\n")
            sys.stdout.flush()
        elif self.json_to is not None:
            write_json(document, self.json_to, force=True)
        where = f"{document['rest_url']}, control {document['control_url']}"
        say(f"{document['exchange']} twin at {where}; Ctrl-C ends it.", json_to=self.json_to)
        if self.key_file is not None:
            say(f"key and secret: {self.key_file}", json_to=self.json_to)

    def _tell_totals(self, document: dict[str, Any]) -> None:
        totals = self.twin.totals()
        if self.json_to == STANDARD_OUTPUT:
            sys.stdout.write(json.dumps(totals) + "\n")
        elif self.json_to is not None:
            write_json({**document, **totals}, self.json_to, force=True)
        words = ", ".join(f"{number:,} {name}" for name, number in totals.items())
        say(f"ended: {words}", json_to=self.json_to)

    async def _show(self) -> None:
        """A line that counts, on a terminal."""
        while sys.stderr is not None and sys.stderr.isatty():
            totals = self.twin.totals()
            words = "  ".join(f"{name} {number:,}" for name, number in totals.items())
            sys.stderr.write(f"\r\x1b[K{self.settings.exchange} {self.twin.port}  {words}")
            sys.stderr.flush()
            await asyncio.sleep(PROGRESS_S)


def ready_document(twin: Twin) -> dict[str, Any]:
    """Where a running twin is, without secrets."""
    host = twin.settings.host
    place = f"[{host}]" if ":" in host else host
    names = {"main": "", "second": "2", "readonly": "_readonly"}
    return {
        "exchange": twin.settings.exchange,
        "port": twin.port,
        "control_port": twin.control_port,
        "rest_url": f"http://{place}:{twin.port}",
        "control_url": f"http://{place}:{twin.control_port}",
        "ws_urls": _ws_urls(twin.settings.exchange, f"ws://{place}:{twin.port}"),
        "symbols": sorted({symbol for _, symbol in twin.venue.markets}),
        "markets": sorted({market for market, _ in twin.venue.markets}),
        **{f"key{names[name]}": key for name, (key, _) in twin.settings.keys.items()},
    }


def _ws_urls(exchange: str, base: str) -> dict[str, str]:
    if exchange == "bybit":
        return {
            "public": base,
            "public_linear": f"{base}/v5/public/linear",
            "public_spot": f"{base}/v5/public/spot",
            "private": f"{base}/v5/private",
            "trade": f"{base}/v5/trade",
        }
    return {
        "spot": base,
        "spot_api": f"{base}/ws-api/v3",
        "futures": base,
        "futures_public": f"{base}/public",
        "futures_market": f"{base}/market",
        "futures_private": f"{base}/private",
        "futures_api": f"{base}/ws-fapi/v1",
    }


def _symbols(given: Sequence[str]) -> tuple[str, ...]:
    names = [name for text in given for name in text.split(",") if name]
    if given and not names:
        raise ParameterInvalid("--symbols: got nothing; give BTCUSDT or several with commas.")
    return values.symbols_of(names)


def _loopback(host: str) -> str:
    plain = "127.0.0.1" if host == "localhost" else host
    try:
        is_loopback = ipaddress.ip_address(plain).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise ParameterInvalid(
            f"--host {host}; only loopback, such as 127.0.0.1: whoever reaches the control port "
            "may do anything to the accounts."
        )
    return plain


def _is_ours(path: Path) -> bool:
    """Whether a file holds what an earlier run of this command wrote."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and "control_url" in found
