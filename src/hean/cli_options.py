# SPDX-License-Identifier: Apache-2.0
"""The options of commands that play a strategy, with their sentences. Those of a backtest have a
default and are checked in `cli_values.py`; those called `Given...` may also come from variables or
a configuration file, and `config.py` checks them.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hean.backtest.tiers import Tier
from hean.feeds.bybit import DEPTHS
from hean.risk.sizing import SizingMethod

MARKET = "What to play"
ACCOUNT = "Account"
EXCHANGE = "Simulated exchange"
RESULTS = "Results"
RUNNING = "Running"


class Queue(StrEnum):
    """How a resting order moves up behind others of its price."""

    LOG = "log"
    PESSIMISTIC = "pessimistic"


STRATEGY = typer.Option(
    "--strategy", metavar="NAME", help="A name, or path.py:Class.", rich_help_panel=MARKET
)
StrategyOption = Annotated[str, STRATEGY]
StrategiesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--strategy",
        metavar="NAME",
        help="A name, or path.py:Class. Several on one account: NAME=SYMBOL,... each.",
        rich_help_panel=MARKET,
    ),
]
ProcessOption = Annotated[
    list[str] | None,
    typer.Option(
        "--process",
        metavar="NAME",
        help="rebalance or rotation, or NAME=SYMBOL,... of several; may be repeated.",
        rich_help_panel=MARKET,
    ),
]
SYMBOL = typer.Option(
    "--symbol",
    metavar="SYMBOL",
    help="Such as BTCUSDT; may be repeated.",
    rich_help_panel=MARKET,
)
SymbolOption = Annotated[list[str], SYMBOL]
SomeSymbolsOption = Annotated[list[str] | None, SYMBOL]
DataOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help="File or folder; may be repeated. Default: the catalog of hean data import.",
        rich_help_panel=MARKET,
    ),
]
StartOption = Annotated[
    str | None,
    typer.Option(
        "--start", metavar="TIME", help="First moment, ISO 8601, UTC.", rich_help_panel=MARKET
    ),
]
EndOption = Annotated[
    str | None,
    typer.Option(
        "--end", metavar="TIME", help="Last moment, ISO 8601, UTC.", rich_help_panel=MARKET
    ),
]
ParamOption = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        metavar="NAME=VALUE",
        help="Setting of the strategy; may be repeated.",
        rich_help_panel=MARKET,
    ),
]
BAR = typer.Option(
    "--bar", metavar="LENGTH", help="Bars made of ticks, such as 1m.", rich_help_panel=MARKET
)
BarOption = Annotated[str, BAR]
GivenBar = Annotated[str | None, BAR]
CASH = typer.Option(
    "--cash", metavar="AMOUNT", help="At the start, quote asset.", rich_help_panel=ACCOUNT
)
CashOption = Annotated[str, CASH]
GivenCash = Annotated[str | None, CASH]
LEVERAGE = typer.Option(
    "--leverage", metavar="NUMBER", help="Of perpetuals.", rich_help_panel=ACCOUNT
)
LeverageOption = Annotated[str, LEVERAGE]
GivenLeverage = Annotated[str | None, LEVERAGE]
SIZING = typer.Option("--sizing", help="Size of a signal without one.", rich_help_panel=ACCOUNT)
SizingOption = Annotated[SizingMethod, SIZING]
GivenSizing = Annotated[SizingMethod | None, SIZING]
FRACTION = typer.Option(
    "--fraction", metavar="NUMBER", help="Position value over equity.", rich_help_panel=ACCOUNT
)
FractionOption = Annotated[float, FRACTION]
GivenFraction = Annotated[float | None, FRACTION]
TrackRecordOption = Annotated[
    str | None,
    typer.Option(
        "--track-record",
        metavar="NUMBERS",
        help="For --sizing kelly: sharpe=1.2,volatility=0.6,years=3,strategies=20, out of sample, "
        "net of cost, volatility per unit of position value. None: a small size to find out.",
        rich_help_panel=ACCOUNT,
    ),
]
LimitOption = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="NAME=VALUE",
        help="Hard limit of the order engine, or NAME=off; may be repeated.",
        rich_help_panel=ACCOUNT,
    ),
]
FeesOption = Annotated[
    str | None,
    typer.Option(
        "--fees",
        metavar="RATES",
        help="maker=0.0002,taker=0.0005; default: the exchange's list.",
        rich_help_panel=EXCHANGE,
    ),
]
LATENCY = typer.Option(
    "--latency",
    metavar="TIME",
    help="50ms; normal:50ms,10ms; recorded:40ms,...",
    rich_help_panel=EXCHANGE,
)
LatencyOption = Annotated[str, LATENCY]
GivenLatency = Annotated[str | None, LATENCY]
SlippageOption = Annotated[
    str,
    typer.Option(
        "--slippage",
        metavar="MODEL",
        help="Where no book is recorded, or none.",
        rich_help_panel=EXCHANGE,
    ),
]
QUEUE = typer.Option("--queue", help="Model of the queue.", rich_help_panel=EXCHANGE)
QueueOption = Annotated[Queue, QUEUE]
GivenQueue = Annotated[Queue | None, QUEUE]
SEED = typer.Option(
    "--seed",
    metavar="NUMBER",
    min=0,
    max=2**63 - 1,
    help="Of every random draw.",
    rich_help_panel=EXCHANGE,
)
SeedOption = Annotated[int, SEED]
GivenSeed = Annotated[int | None, SEED]
ReportOption = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Write an HTML report.", rich_help_panel=RESULTS),
]
TradesOption = Annotated[
    Path | None,
    typer.Option(
        "--trades", metavar="FILE", help="Write the trades as CSV.", rich_help_panel=RESULTS
    ),
]
EquityOption = Annotated[
    Path | None,
    typer.Option(
        "--equity", metavar="FILE", help="Write the equity as CSV.", rich_help_panel=RESULTS
    ),
]
JournalOption = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        metavar="FILE",
        help="Write a journal for hean replay; never over a file.",
        rich_help_panel=RESULTS,
    ),
]
JsonResultOption = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="FILE|-",
        help="Write the result as JSON, - is stdout.",
        rich_help_panel=RESULTS,
    ),
]
ForceOption = Annotated[
    bool,
    typer.Option(
        "--force", help="Replace files that are no older results.", rich_help_panel=RESULTS
    ),
]
HandlerTimeoutOption = Annotated[
    float,
    typer.Option(
        "--handler-timeout",
        metavar="SECONDS",
        help="Longest time for one event.",
        rich_help_panel=RUNNING,
    ),
]
VirtualLoopOption = Annotated[
    bool,
    typer.Option(
        "--virtual-loop",
        help="Let async handlers wait, in simulated time.",
        rich_help_panel=RUNNING,
    ),
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", help="No table, no progress.", rich_help_panel=RUNNING)
]
CatalogOption = Annotated[
    Path,
    typer.Option(
        "--data-dir",
        metavar="FOLDER",
        envvar="HEAN_DATA_DIR",
        help="Where the catalog lies.",
        rich_help_panel=MARKET,
        show_envvar=False,
    ),
]
DebugRunOption = Annotated[
    bool,
    typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=RUNNING),
]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        help="Folder of a trained model (`hean ml train`), whose ML_PREDICTION the strategy hears.",
        rich_help_panel=RUNNING,
    ),
]
TierOption = Annotated[
    Tier,
    typer.Option(
        "--tier",
        help="Who looks at each fact: Python (event), Python when woken (wake), Rust (native). "
        "Orders and equity are the same.",
        rich_help_panel=RUNNING,
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Settings as TOML, also HEAN_CONFIG; options and variables come before it.",
        rich_help_panel=RUNNING,
    ),
]


class Exchange(StrEnum):
    """Whose feed."""

    BYBIT = "bybit"
    BINANCE = "binance"


class Market(StrEnum):
    """Perpetual contracts paid in a stable coin, or coins."""

    LINEAR = "linear"
    SPOT = "spot"


ExchangeOption = Annotated[
    Exchange | None, typer.Option("--exchange", help="Whose live feed. Default: bybit.")
]
MarketOption = Annotated[
    Market | None, typer.Option("--market", help="linear perpetuals (default), or spot.")
]
TestnetOption = Annotated[
    bool | None, typer.Option("--testnet/--mainnet", help="The venue's test network.")
]
SymbolsOption = Annotated[
    list[str] | None,
    typer.Option("--symbols", "--symbol", help="Such as BTCUSDT; may be repeated, or BTC,ETH."),
]
DurationOption = Annotated[
    float | None, typer.Option(min=0.1, metavar="S", help="Ends it; otherwise Ctrl-C does.")
]
DepthOption = Annotated[
    int | None,
    typer.Option(metavar="LEVELS", help=f"Of Bybit's books: {', '.join(map(str, DEPTHS))}."),
]
