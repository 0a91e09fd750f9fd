# SPDX-License-Identifier: Apache-2.0
"""`hean analytics`: what a journal says about money and time: on a page of Streamlit, or as JSON
and as the answer to a question, for which nothing more is needed.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from hean.analytics.questions import Answer, Questions
from hean.analytics.reports import as_dicts, document
from hean.analytics.tables import COLUMNS, read_tables
from hean.cli_common import (
    DATA_DIR_DEFAULT,
    DataDirOption,
    DebugOption,
    JsonOption,
    run_command,
    say,
    table_console,
    write_json,
)
from hean.cli_settings import settings_from
from hean.config import VARIABLES
from hean.config_kinds import Address, Unfit
from hean.errors import EnvironmentFault, ParameterInvalid

PORT = 8501
INSTALL = "the page needs Streamlit: ./hean setup analytics, or pip install 'hean[analytics]'"
JOURNAL = "journal.db"

JournalOption = Annotated[
    Path | None,
    typer.Option("--journal", metavar="FILE", help="Default: the newest of hean live."),
]
QueryOption = Annotated[
    str | None,
    typer.Option("--query", metavar="SQL", help=f"Answer it and end. Tables: {', '.join(COLUMNS)}"),
]
PrometheusOption = Annotated[
    str | None,
    typer.Option(
        "--prometheus",
        metavar="URL",
        help="Asked by the page's last tab. Default: on this machine, at PROMETHEUS_PORT.",
    ),
]


def mount(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(
        "analytics",
        epilog="Example: hean analytics --journal run.journal; hean analytics --journal run.db "
        "--query 'SELECT symbol, sum(net) FROM pnl GROUP BY 1' --json -. Exit codes: 0 done; 2 a "
        "bad journal or question; 3 Streamlit is missing, or the port is taken.",
    )(analytics)


@run_command
def analytics(
    *,
    journal: JournalOption = None,
    query: QueryOption = None,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Of the page, on loopback.")] = PORT,
    prometheus: PrometheusOption = None,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Profit by strategy, symbol and hour, slippage, fees, latency, and questions of your own."""
    path = journal or _newest(data_dir.expanduser())
    if query is not None or json_to is not None:
        _answer(path, query, json_to)
        return
    if prometheus is None:
        prometheus = f"http://127.0.0.1:{settings_from({}, None).prometheus_port}"
    try:
        base = Address(("http", "https")).of_text(prometheus)
    except Unfit as error:
        raise ParameterInvalid(f"--prometheus: allowed: {error}.") from None
    if importlib.util.find_spec("streamlit") is None:
        raise EnvironmentFault(f"{INSTALL}. Without it: --json, --query.")
    if not path.is_file():
        raise ParameterInvalid(f"{path} does not exist; check the path.")
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise EnvironmentFault(f"port {port}: {error.strerror}; choose one with --port.") from None
    say(f"analytics of {path} on http://127.0.0.1:{port}; Ctrl-C ends it.", json_to=json_to)
    _become_page(path, port, base)


def _answer(path: Path, query: str | None, json_to: str | None) -> None:
    tables = read_tables(path)
    questions = Questions(tables)
    if query is None:
        write_json(document(tables, questions), json_to or "-")
        return
    answer = questions.ask(query)
    if json_to is not None:
        write_json({"rows": as_dicts(answer), "is_cut": answer.is_cut}, json_to)
        return
    table_console(json_to).print(_table(answer))
    if answer.is_cut:
        say(f"the first {len(answer.rows):,} rows; there are more", json_to=json_to)


def _table(answer: Answer) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for name in answer.columns:
        table.add_column(name, overflow="fold")
    for row in answer.rows:
        table.add_row(*("" if each is None else str(each) for each in row))
    return table


def _newest(data_dir: Path) -> Path:
    """The journal of live trading that was written last. *Raises*: `ParameterInvalid`."""
    found = sorted((data_dir / "live").glob(f"*/{JOURNAL}"), key=lambda each: each.stat().st_mtime)
    if not found:
        raise ParameterInvalid(
            f"no journal in {data_dir}; name one with --journal, such as that of hean paper "
            "--journal FILE."
        )
    return found[-1]


def _become_page(path: Path, port: int, prometheus: str) -> None:
    """Streamlit takes the place of this process: its signals and its end are its own. It listens on
    loopback, tells nobody of its use, and gets no setting of HEAN.
    """
    file = importlib.util.find_spec("hean.analytics.screens")
    assert file is not None and file.origin is not None
    options = {
        "global.developmentMode": "false",  # what it takes itself for outside of site-packages
        "server.address": "127.0.0.1",
        "server.port": str(port),
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.showEmailPrompt": "false",
        "browser.gatherUsageStats": "false",
        "browser.serverAddress": "127.0.0.1",
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "streamlit", "run", file.origin, *words]
    command += ["--", str(path.absolute()), prometheus]
    environ = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    sys.stdout.flush()
    os.execve(sys.executable, command, environ)
