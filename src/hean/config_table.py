# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: RUF009  # the calls make the fields themselves, once
"""`config_table.py`: every setting of HEAN, once: name, type, default, unit, meaning, variable. A
new setting is one field here; `config.py` then reads it from all places and `hean settings` lists
it. Its name in the TOML file is the field's, below `[limits]` or `[strategy]` that of the section.

What a field knows of itself stands in `config_rows.py`; the judges have a file of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from decimal import Decimal
from functools import reduce
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hean.config_alerts import AlertSection
from hean.config_judges import (
    BreakerSection,
    ChangepointSection,
    KalmanSection,
    LossSection,
    MemorySection,
    RegimeSection,
    VolatilitySection,
)
from hean.config_kinds import (
    Address,
    Amount,
    Bar,
    DryRun,
    Exactly,
    File,
    Hidden,
    OneOf,
    OrOff,
    Params,
    Symbols,
    Text,
    Truth,
    Whole,
    Words,
)
from hean.config_rows import Origin, Row, hidden, shown
from hean.feeds.bybit import DEPTHS
from hean.risk.sizing import SizingMethod
from hean.secret import Secret

NANO = Decimal("0.000000001")
MONEY_MAX = Decimal(10) ** 12
_DAY_NS = 86_400 * 10**9
_MONEY = OrOff(Amount(NANO, MONEY_MAX))
_SHARE = OrOff(Amount(NANO, Decimal("0.99"), is_fraction=True))
_COUNT = OrOff(Whole(1, 1_000_000))
_NS = OrOff(Whole(1, _DAY_NS))
_PORT = Whole(1, 65_535)
_REST = Address(("https", "http"))
_SOCKET = Address(("wss", "ws"))
_HOST = r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\]"
_SECRET_KEY_LENGTH_MIN = 32  # what `openssl rand -hex 32` gives has twice as many


def _secret(variable: str, meaning: str, **rest: Any) -> Any:
    return hidden(Hidden(**rest), None, meaning, variable=variable)


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategySettings:
    """`[strategy]`: who trades."""

    name: str | None = shown(
        Text("a name, or path.py:Class"), None, "A bundled name, or path.py:Class.",
        option="--strategy",
    )  # fmt: skip
    params: Mapping[str, Any] = shown(
        Params(), MappingProxyType({}), "Its parameters; what is not named has its default.",
        option="--param",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """`[limits]`: the hard limits of the order engine, under its names. `off` is no limit."""

    order_lots_max: int | None = shown(
        OrOff(Whole(1, 10**15)), None, "R02: largest order.", unit="lots"
    )
    order_value_max: Decimal | None = shown(_MONEY, None, "R02: largest order.", unit="quote money")
    collar_fraction: Decimal | None = shown(
        _SHARE, Decimal("0.05"), "R03: how far beyond the last price an order may reach.",
        unit="fraction",
    )  # fmt: skip
    reference_age_max_ns: int | None = shown(
        _NS, None, "R07: oldest price that still values an order.", unit="ns"
    )
    position_value_max: Decimal | None = shown(
        _MONEY, Decimal(10_000), "R20: largest position of one instrument.",
        variable="MAX_POSITION_SIZE", unit="quote money",
    )  # fmt: skip
    gross_value_max: Decimal | None = shown(
        _MONEY, None, "R21: largest sum of all positions.", unit="quote money"
    )
    leverage_max: Decimal = shown(
        Amount(Decimal(1), Decimal(125)), Decimal(3),
        "R21: most value of all positions over equity; also the leverage of perpetuals.",
        variable="MAX_LEVERAGE", unit="times", option="--leverage",
    )  # fmt: skip
    open_orders_max: int | None = shown(_COUNT, 200, "R23: open orders at a time.", unit="orders")
    orders_per_second_max: int | None = shown(
        _COUNT, 10, "R09: orders in any second.", unit="orders"
    )
    duplicate_window_ns: int | None = shown(
        _NS, None, "R05: how long the same order again counts as a slip.", unit="ns"
    )
    refuse_self_cross: bool | None = shown(
        OrOff(Truth()), True, "R06: refuse an order that could meet an own resting one."
    )
    daily_loss_fraction_max: Decimal | None = shown(
        _SHARE, Decimal("0.05"), "R30: loss of a day that stops new orders.",
        variable="DAILY_DRAWDOWN_LIMIT", unit="fraction of the day's first equity",
    )  # fmt: skip
    drawdown_fraction_max: Decimal | None = shown(
        _SHARE, Decimal("0.15"), "R31: drawdown that stops new orders.",
        unit="fraction of the highest equity",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, typed. *origins*: where each came from, by name such as
    `limits.leverage_max`. *warnings*: sentences for the user, without any secret.
    """

    origins: Mapping[str, Origin] = field(default_factory=dict, metadata={"is_record": True})
    warnings: tuple[str, ...] = field(default=(), metadata={"is_record": True})

    # What is traded
    exchange: str = shown(OneOf("bybit", "binance"), "bybit", "Whose market.", variable="EXCHANGE")
    market: str = shown(OneOf("linear", "spot"), "linear", "Perpetuals, or coins.")
    testnet: bool = shown(Truth(), False, "The test network of the exchange.")
    bybit_testnet: bool | None = shown(
        Truth(), None, "Sets testnet while the exchange is bybit.", variable="BYBIT_TESTNET",
        in_file=False,
    )  # fmt: skip
    binance_testnet: bool | None = shown(
        Truth(), None, "Sets testnet while the exchange is binance; false alone is never live.",
        variable="BINANCE_TESTNET", in_file=False,
    )  # fmt: skip
    symbols: tuple[str, ...] = shown(
        Symbols(), (), "What to trade, such as BTCUSDT.", variable="SYMBOLS"
    )
    bar: str = shown(Bar(), "1m", "Length of bars made of ticks.")
    depth: int = shown(OneOf(*DEPTHS), 50, "Depth of Bybit's books.", unit="levels")
    strategy: StrategySettings = field(default_factory=StrategySettings)
    sizing: str = shown(
        OneOf(*map(str, SizingMethod)), str(SizingMethod.FIXED_FRACTION),
        "How a signal without a size gets one.",
    )  # fmt: skip
    fraction: Decimal = shown(
        Amount(NANO, Decimal(125)), Decimal("0.5"), "Value of a new position.",
        unit="times equity",
    )  # fmt: skip
    track_record: str | None = shown(
        Text("sharpe=1.2,volatility=0.6,years=3,strategies=20"), None,
        "For sizing kelly; without it a small size to find out.",
    )  # fmt: skip
    limits: LimitSettings = field(default_factory=LimitSettings)

    # Who else judges the market and the account
    volatility: VolatilitySection = field(default_factory=VolatilitySection)
    changepoint: ChangepointSection = field(default_factory=ChangepointSection)
    kalman: KalmanSection = field(default_factory=KalmanSection)
    breaker: BreakerSection = field(default_factory=BreakerSection)
    regime: RegimeSection = field(default_factory=RegimeSection)
    memory: MemorySection = field(default_factory=MemorySection)
    losses: LossSection = field(default_factory=LossSection)

    # Paper: the simulated exchange
    cash: Decimal = shown(
        Amount(Decimal("0.00000001"), MONEY_MAX), Decimal(10_000), "Paper: money at the start.",
        unit="quote money",
    )  # fmt: skip
    fees: str | None = shown(
        Text("maker=0.0002,taker=0.0005"), None, "Paper: fees; without it the exchange's list."
    )
    latency: str = shown(
        Text("50ms; normal:50ms,10ms; recorded:40ms,..."), "50ms", "Paper: delay of each way."
    )
    queue: str = shown(OneOf("log", "pessimistic"), "log", "Paper: model of the queue.")
    seed: int = shown(Whole(0, 2**63 - 1), 0, "Of every random draw.")
    duration: Decimal | None = shown(
        Amount(Decimal("0.1"), Decimal(10) ** 9), None, "Ends the session; else Ctrl-C does.",
        unit="s",
    )  # fmt: skip

    # Live: each factor has a place of its own, so that no one slip opens the gate
    live_confirm: bool = shown(
        Exactly("YES"), False, "Live: one factor of the gate; environment only.",
        variable="LIVE_CONFIRM", in_file=False, in_dotenv=False,
    )  # fmt: skip
    dry_run: bool = shown(
        DryRun(), True,
        "Live: no order leaves. false counts in the file only; a variable may say true.",
        variable="DRY_RUN",
    )  # fmt: skip
    enable_paper_trading: bool | None = shown(
        Truth(), None, "false alone is refused: it never makes a session live.",
        variable="ENABLE_PAPER_TRADING",
    )  # fmt: skip
    account_id: str | None = hidden(
        Text("letters, digits, - and _", r"[A-Za-z0-9_-]{1,64}"), None,
        "Live: the account the venue must name, else nothing starts.", variable="HEAN_ACCOUNT_ID",
    )  # fmt: skip
    waive_key_addresses: bool = shown(
        Truth(), False, "Live: the key may be one that works from any address; file only."
    )

    # Keys: those of the venue before the general pair
    api_key: Secret | None = _secret("API_KEY", "Key of the exchange.")
    api_secret: Secret | None = _secret("API_SECRET", "Secret of API_KEY.")
    bybit_api_key: Secret | None = _secret("BYBIT_API_KEY", "Key of Bybit, before API_KEY.")
    bybit_api_secret: Secret | None = _secret("BYBIT_API_SECRET", "Secret of BYBIT_API_KEY.")
    binance_api_key: Secret | None = _secret("BINANCE_API_KEY", "Key of Binance, before API_KEY.")
    binance_api_secret: Secret | None = _secret("BINANCE_API_SECRET", "Secret of BINANCE_API_KEY.")

    # Addresses: the venue's own hosts or loopback, all of one network
    bybit_rest_url: str | None = shown(_REST, None, "Bybit's requests.", variable="BYBIT_REST_URL")
    bybit_ws_public_url: str | None = shown(
        _SOCKET, None, "Bybit's market streams, up to /v5/public/linear.",
        variable="BYBIT_WS_PUBLIC_URL",
    )  # fmt: skip
    bybit_ws_private_url: str | None = shown(
        _SOCKET, None, "Bybit's account stream.", variable="BYBIT_WS_PRIVATE_URL"
    )
    bybit_ws_trade_url: str | None = shown(
        _SOCKET, None, "Bybit's order entry.", variable="BYBIT_WS_TRADE_URL"
    )
    binance_rest_url: str | None = shown(
        _REST, None, "Requests of Binance spot.", variable="BINANCE_REST_URL"
    )
    binance_ws_url: str | None = shown(
        _SOCKET, None, "Market streams of Binance spot.", variable="BINANCE_WS_URL"
    )
    binance_ws_api_url: str | None = shown(
        _SOCKET, None, "Order entry and account stream of Binance spot.",
        variable="BINANCE_WS_API_URL",
    )  # fmt: skip
    binance_futures_rest_url: str | None = shown(
        _REST, None, "Requests of Binance USD-M.", variable="BINANCE_FUTURES_REST_URL"
    )
    binance_futures_ws_url: str | None = shown(
        _SOCKET, None, "Market and account streams of Binance USD-M.",
        variable="BINANCE_FUTURES_WS_URL",
    )  # fmt: skip
    binance_futures_ws_api_url: str | None = shown(
        _SOCKET, None, "Order entry of Binance USD-M.", variable="BINANCE_FUTURES_WS_API_URL"
    )

    # The house
    config: Path | None = shown(
        File(), None, "The TOML file.", variable="HEAN_CONFIG", in_file=False
    )
    data_dir: Path = shown(
        File(), Path("~/.hean"), "Where HEAN keeps its data.", variable="HEAN_DATA_DIR"
    )
    log_level: str = shown(
        OneOf("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), "INFO",
        "Least level of the logs: JSON lines on standard error, written where this is set.",
        variable="LOG_LEVEL",
    )  # fmt: skip
    rust_log: str = shown(
        Text("a filter such as info or hean=debug", r"[\w=,:\[\]{}/ .*-]+"), "info",
        "Logs of the market-data service.", variable="RUST_LOG",
    )  # fmt: skip
    market_data_url: str | None = shown(
        _REST, None, "Paper hears this market-data service instead of the venue's streams.",
        variable="MARKET_DATA_URL",
    )  # fmt: skip
    market_data_listen: str = shown(
        Text("a host and a port", r"[\w.:\[\]-]+"), "127.0.0.1:8080",
        "Where the market-data service listens.", variable="MARKET_DATA_LISTEN",
    )  # fmt: skip
    market_data_timeframes: str = shown(
        Text("such as 1m,1h", r"[0-9smhd, ]+"), "1m,5m,15m,1h",
        "Lengths of candles of the market-data service.", variable="MARKET_DATA_TIMEFRAMES",
    )  # fmt: skip
    market_data_depth: int = shown(
        OneOf(*DEPTHS), 50, "Depth of Bybit's books in the market-data service.", unit="levels",
        variable="MARKET_DATA_DEPTH",
    )  # fmt: skip
    hean_api_port: int = shown(_PORT, 8000, "API and page.", variable="HEAN_API_PORT")
    secret_key: Secret | None = _secret(
        "SECRET_KEY", "Signs the tokens of the API; required outside loopback.",
        length_min=_SECRET_KEY_LENGTH_MIN,
    )  # fmt: skip
    allowed_hosts: tuple[str, ...] = shown(
        Words("a lower-case name without port, such as desk.example", _HOST), (),
        "Names by which the API is called, beside those of loopback and the one it listens on.",
        variable="HEAN_ALLOWED_HOSTS",
    )  # fmt: skip
    allowed_origins: tuple[str, ...] = shown(
        Words("an origin such as https://desk.example:3000", rf"https?://({_HOST})(:\d{{1,5}})?"),
        (), "Pages of other origins that may call the API; none by default, never all.",
        variable="HEAN_ALLOWED_ORIGINS",
    )  # fmt: skip
    trusted_proxies: tuple[str, ...] = shown(
        Words("an address or a network such as 172.20.0.0/16", r"[0-9a-f.:]{2,45}(/\d{1,3})?"), (),
        "Proxies in front of the API whose X-Forwarded-For tells by whose address limits count.",
        variable="HEAN_TRUSTED_PROXIES",
    )  # fmt: skip

    # The event bus
    event_max_queue_size: int = shown(
        Whole(1_000, 10_000_000), 50_000,
        "Most events that wait; beyond it new input is refused, never dropped silently.",
        variable="EVENT_MAX_QUEUE_SIZE", unit="events",
    )  # fmt: skip
    event_batch_size: int = shown(
        Whole(1, 100_000), 10,
        "Live: events that one async handler works off before the next one has its turn.",
        variable="EVENT_BATCH_SIZE", unit="events",
    )  # fmt: skip
    event_worker_count: int = shown(
        Whole(1, 64), 4,
        "Live: async handlers at work at a time; events keep their order, plain ones do not wait.",
        variable="EVENT_WORKER_COUNT", unit="handlers",
    )  # fmt: skip
    redis_url: Secret | None = hidden(
        Hidden(schemes=("redis", "rediss")), None,
        "Redis or KeyDB, such as redis://localhost:6379, which carries copies of events; "
        "without it they stay on this machine.",
        variable="REDIS_URL",
    )  # fmt: skip
    kafka_servers: str | None = shown(
        Text("host:port,host:port", r"[A-Za-z0-9.:\[\],_-]{3,1000}"), None,
        "Kafka's brokers, such as localhost:9092, for processes that it joins.",
        variable="KAFKA_SERVERS",
    )  # fmt: skip

    # Learning
    ml_model_path: Path | None = shown(
        File(
            (".pkl", ".pickle", ".joblib"),
            "a folder of hean ml train; a pickle runs whatever code it holds when it is read",
        ),
        None, "Folder of a trained model, see hean ml train.", variable="ML_MODEL_PATH",
    )  # fmt: skip
    ml_inference_timeout: int = shown(
        Whole(1, 60_000), 100, "Longest wait for the model; later it has no opinion.",
        variable="ML_INFERENCE_TIMEOUT", unit="ms",
    )  # fmt: skip
    feature_batch_size: int = shown(
        Whole(1, 10_000), 10,
        "Features given to the model at once; no effect, each row is given when it is there.",
        variable="FEATURE_BATCH_SIZE", unit="rows",
    )  # fmt: skip
    feature_batch_timeout: int = shown(
        Whole(1, 60_000), 50, "Longest wait for a batch to fill; no effect, nothing waits.",
        variable="FEATURE_BATCH_TIMEOUT", unit="ms",
    )  # fmt: skip

    # Store and monitoring
    store_url: Secret | None = hidden(
        Hidden(schemes=("postgresql", "postgres")), None,
        "PostgreSQL for the tables of hean store, such as postgresql://hean@localhost/hean; "
        "without it they are in trading.db of the data directory.",
        variable="HEAN_STORE_URL",
    )  # fmt: skip
    db_pool_size: int = shown(
        Whole(1, 1_000), 20, "Connections to an SQL server; SQLite has no pool.",
        variable="DB_POOL_SIZE", unit="connections",
    )  # fmt: skip
    db_max_overflow: int = shown(
        Whole(0, 1_000), 10, "Connections beyond the pool; SQLite has none.",
        variable="DB_MAX_OVERFLOW", unit="connections",
    )  # fmt: skip
    alerts: AlertSection = field(default_factory=AlertSection)
    prometheus_port: int = shown(_PORT, 9090, "Prometheus.", variable="PROMETHEUS_PORT")
    grafana_port: int = shown(_PORT, 3001, "Grafana.", variable="GRAFANA_PORT")
    grafana_password: Secret | None = _secret(
        "GRAFANA_PASSWORD", "Grafana's administrator; there is no default."
    )
    gf_security_admin_password: Secret | None = _secret(
        "GF_SECURITY_ADMIN_PASSWORD", "The same under Grafana's own name."
    )


def places(kind: Any, at: str = "") -> Iterator[tuple[str, Row | None, Any]]:
    """Name, row and section class of every field of a class of settings, sections opened."""
    for entry in fields(kind):
        key = f"{at}{entry.name}"
        if "is_record" in entry.metadata:
            continue
        if is_dataclass(entry.default_factory):
            yield key, None, entry.default_factory
            yield from places(entry.default_factory, f"{key}.")
        else:
            yield key, entry.metadata.get("row"), None


def walk(settings: Settings) -> Iterator[tuple[str, Row | None, Any]]:
    """Name, row and value of every setting."""
    for key, row, section in places(settings):
        if section is None:
            yield key, row, reduce(getattr, key.split("."), settings)


ROWS: Mapping[str, Row] = {key: row for key, row, _ in places(Settings) if row is not None}
"""What is known of every setting, by its name."""
JUDGES = ("volatility", "changepoint", "kalman", "breaker", "regime", "memory", "losses")
"""The sections of those who judge."""
SECTIONS: Mapping[str, Any] = {key: kind for key, _, kind in places(Settings) if kind}
"""The tables of the file."""
