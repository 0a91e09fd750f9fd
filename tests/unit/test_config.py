# SPDX-License-Identifier: Apache-2.0
"""Settings from all places: which one counts, what it becomes, whence it came, who may see it."""

from __future__ import annotations

import json
import pickle
from dataclasses import FrozenInstanceError, asdict, fields, make_dataclass
from decimal import Decimal
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from hean._core import OrderEngine
from hean.config import (
    Settings,
    Source,
    endpoints_of,
    engine_limits,
    load,
    masked,
    require,
    scrub,
    signer_of,
)
from hean.config_kinds import Truth
from hean.config_rows import hidden, shown
from hean.config_table import ROWS, SECTIONS, LimitSettings, places, walk
from hean.errors import ParameterInvalid
from hean.secret import Secret
from hean.system import LIMITS

CANARY = "canary-3f81c2d7"


def toml(folder: Path, text: str) -> Path:
    """A configuration file."""
    path = folder / "hean.toml"
    path.write_text(text)
    return path


def dotenv(folder: Path, text: str, mode: int = 0o600) -> Path:
    """A `.env` file."""
    path = folder / ".env"
    path.write_text(text)
    path.chmod(mode)
    return path


def secret_file(folder: Path, text: str = CANARY) -> str:
    """A file that only its owner may read."""
    path = folder / "secret"
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


# ---------------------------------------------------------------- rank and origin


def test_the_first_place_that_has_a_value_counts_and_is_named(tmp_path: Path):
    file = toml(tmp_path, "\n[limits]\nleverage_max = 2\n")
    env_file = dotenv(tmp_path, "# risk\nMAX_LEVERAGE=4\n")
    layers: list[tuple[dict[str, object], dict[str, str], Path | None, Path | None]] = [
        ({"limits.leverage_max": "6"}, {"MAX_LEVERAGE": "5"}, env_file, file),
        ({"limits.leverage_max": None}, {"MAX_LEVERAGE": "5"}, env_file, file),
        ({}, {"MAX_LEVERAGE": ""}, env_file, file),
        ({}, {}, None, file),
        ({}, {}, None, None),
    ]
    found = [load(*each) for each in layers]
    assert [each.limits.leverage_max for each in found] == [6, 5, 4, 2, 3]
    told = [each.origins.get("limits.leverage_max") for each in found]
    assert [each.source if each else Source.DEFAULT for each in told] == list(Source)
    assert [each.place if each else "" for each in told] == [
        "--leverage", "MAX_LEVERAGE", f"{env_file}:2", f"{file}:3", "",
    ]  # fmt: skip


def test_a_value_that_is_outranked_is_judged_all_the_same(tmp_path: Path):
    file = toml(tmp_path, "depth = 7\n")
    with pytest.raises(ParameterInvalid, match=r"hean\.toml:1: depth is 7; allowed: 50, 200, 1000"):
        load({"depth": 50}, {}, None, file)


def test_the_file_may_be_named_by_a_variable_and_the_option_comes_before_it(tmp_path: Path):
    file = toml(tmp_path, 'exchange = "binance"\n')
    assert load({}, {"HEAN_CONFIG": str(file)}).exchange == "binance"
    other = tmp_path / "other.toml"
    other.write_text("")
    found = load({}, {"HEAN_CONFIG": str(file)}, None, other)
    assert (found.exchange, found.config) == ("bybit", other)


def test_everything_the_options_of_paper_do_can_stand_in_the_file(tmp_path: Path):
    file = toml(
        tmp_path,
        """
        exchange = "binance"
        market = "spot"
        testnet = true
        symbols = ["BTC/USDT", "ethusdt"]
        bar = "5m"
        depth = 200
        cash = "2500.50"
        sizing = "volatility_target"
        fraction = 0.25
        fees = "maker=0.0002,taker=0.0005"
        latency = "20ms"
        queue = "pessimistic"
        seed = 7
        duration = 1.5

        [strategy]
        name = "impulse"
        params = { fast = 10, level = 0.5, reverse = true, mode = "a" }

        [limits]
        leverage_max = 2
        order_value_max = 500
        collar_fraction = "off"
        """,
    )
    found = load({}, {}, None, file)
    assert (found.exchange, found.market, found.testnet) == ("binance", "spot", True)
    assert found.symbols == ("BTCUSDT", "ETHUSDT")
    assert (found.bar, found.depth, found.cash) == ("5m", 200, Decimal("2500.50"))
    assert (found.sizing, found.fraction) == ("volatility_target", Decimal("0.25"))
    assert (found.queue, found.seed, found.duration) == ("pessimistic", 7, Decimal("1.5"))
    assert found.strategy.name == "impulse"
    assert found.strategy.params == {"fast": 10, "level": 0.5, "reverse": True, "mode": "a"}
    assert engine_limits(found.limits) == {
        "leverage_max": "2", "order_value_max": "500", "position_value_max": "10000",
        "open_orders_max": "200", "orders_per_second_max": "10", "refuse_self_cross": "true",
        "daily_loss_fraction_max": "0.05", "drawdown_fraction_max": "0.15",
    }  # fmt: skip


def test_an_option_replaces_one_parameter_and_another_strategy_takes_none(tmp_path: Path):
    file = toml(tmp_path, '[strategy]\nname = "impulse"\n[strategy.params]\na = 1\nb = 2\n')
    found = load({"strategy.params": {"b": "3"}}, {}, None, file)
    assert found.strategy.params == {"a": 1, "b": "3"}
    other = load({"strategy.name": "path.py:Class"}, {}, None, file)
    assert other.strategy.params == {}
    assert "another" in other.warnings[0]


def test_a_dotenv_line_may_have_quotes_a_remark_or_export_before_it(tmp_path: Path):
    path = dotenv(
        tmp_path,
        "# settings\n\nexport LOG_LEVEL='DEBUG'\nMAX_POSITION_SIZE=1000  # USDT\n"
        'SYMBOLS="BTCUSDT,ETHUSDT" # two\r\nEXCHANGE=\n',
    )
    found = load({}, {}, path)
    assert (found.log_level, found.limits.position_value_max) == ("DEBUG", 1000)
    assert found.symbols == ("BTCUSDT", "ETHUSDT")
    assert found.exchange == "bybit"


# ---------------------------------------------------------------- the table


def test_the_engine_knows_every_limit_of_the_table_and_there_is_no_other():
    settings = load({}, {})
    every = {entry.name: "1" for entry in fields(LimitSettings)} | {"refuse_self_cross": "true"}
    OrderEngine([], every)
    OrderEngine([], engine_limits(settings.limits), unlimited=True)
    assert len(every) == 13
    assert LIMITS.items() <= engine_limits(settings.limits).items()


def test_every_default_is_of_the_type_its_field_declares():
    for kind in (Settings, *SECTIONS.values()):
        types = get_type_hints(kind)
        for entry in fields(kind):
            row = entry.metadata.get("row")
            if row is None:
                continue
            declared = types[entry.name]
            allowed = [get_origin(each) or each for each in get_args(declared) or (declared,)]
            if get_origin(declared) not in (Union, UnionType):
                allowed = [get_origin(declared) or declared]
            assert isinstance(row.default, tuple(allowed)), entry.name
            assert row.meaning.endswith("."), entry.name


def test_a_name_of_the_environment_belongs_to_one_setting():
    names = [row.variable for row in ROWS.values() if row.variable]
    assert len(names) == len(set(names))


def test_settings_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        load({}, {}).dry_run = False  # type: ignore[misc]


# ---------------------------------------------------------------- promised variables


VARIABLES: list[Any] = [
    pytest.param("EVENT_MAX_QUEUE_SIZE", "100000", "event_max_queue_size", 50_000, 100_000,
                 marks=pytest.mark.promise(119)),
    pytest.param("ML_INFERENCE_TIMEOUT", "200", "ml_inference_timeout", 100, 200,
                 marks=pytest.mark.promise(124)),
    pytest.param("FEATURE_BATCH_SIZE", "20", "feature_batch_size", 10, 20,
                 marks=pytest.mark.promise(125)),
    pytest.param("FEATURE_BATCH_TIMEOUT", "60", "feature_batch_timeout", 50, 60,
                 marks=pytest.mark.promise(125)),
    pytest.param("EVENT_BATCH_SIZE", "20", "event_batch_size", 10, 20,
                 marks=pytest.mark.promise(126)),
    pytest.param("EVENT_WORKER_COUNT", "8", "event_worker_count", 4, 8,
                 marks=pytest.mark.promise(126)),
    ("DB_POOL_SIZE", "5", "db_pool_size", 20, 5),
    ("DB_MAX_OVERFLOW", "0", "db_max_overflow", 10, 0),
    pytest.param("PROMETHEUS_PORT", "9091", "prometheus_port", 9090, 9091,
                 marks=pytest.mark.promise(128)),
    pytest.param("GRAFANA_PORT", "3000", "grafana_port", 3001, 3000,
                 marks=pytest.mark.promise(128)),
    ("HEAN_API_PORT", "8001", "hean_api_port", 8000, 8001),
    pytest.param("LOG_LEVEL", "DEBUG", "log_level", "INFO", "DEBUG",
                 marks=pytest.mark.promise(129)),
    pytest.param("RUST_LOG", "hean=debug,info", "rust_log", "info", "hean=debug,info",
                 marks=pytest.mark.promise(133)),
    pytest.param("EXCHANGE", "binance", "exchange", "bybit", "binance",
                 marks=pytest.mark.promise(112)),
    pytest.param("DRY_RUN", "true", "dry_run", True, True, marks=pytest.mark.promise(116)),
    pytest.param("SYMBOLS", "BTCUSDT,ETHUSDT,ADAUSDT", "symbols", (),
                 ("BTCUSDT", "ETHUSDT", "ADAUSDT"), marks=pytest.mark.promise(130)),
]  # fmt: skip


@pytest.mark.parametrize(("variable", "text", "key", "default", "expected"), VARIABLES)
def test_a_promised_variable_has_its_default_and_sets_its_value(
    variable, text, key, default, expected
):
    assert dict_of(load({}, {}))[key] == default
    assert dict_of(load({}, {variable: text}))[key] == expected


@pytest.mark.parametrize(
    ("variable", "text", "limit", "default"),
    [
        pytest.param("MAX_POSITION_SIZE", "50000", "position_value_max", "10000",
                     marks=pytest.mark.promise(120)),
        pytest.param("MAX_LEVERAGE", "5", "leverage_max", "3", marks=pytest.mark.promise(121)),
        pytest.param("DAILY_DRAWDOWN_LIMIT", "0.1", "daily_loss_fraction_max", "0.05",
                     marks=pytest.mark.promise(122)),
    ],
)  # fmt: skip
def test_a_promised_limit_is_one_of_the_order_engine(variable, text, limit, default):
    assert engine_limits(load({}, {}).limits)[limit] == default
    assert engine_limits(load({}, {variable: text}).limits)[limit] == text


def dict_of(settings: Settings) -> dict[str, Any]:
    """Every setting by its name."""
    return {key: value for key, _, value in walk(settings)}


@pytest.mark.promise(113)
def test_a_key_comes_from_the_venue_s_own_variables_before_the_general_ones():
    general = {"API_KEY": "general", "API_SECRET": "x"}
    own = {"BYBIT_API_KEY": "own", "BYBIT_API_SECRET": "y"}
    assert signer_of(load({}, general)).key == "general"
    signer = signer_of(load({}, general | own))
    assert (signer.key, signer.label) == ("own", "BYBIT_API_KEY")
    assert signer_of(load({"exchange": "binance"}, general | own)).key == "general"


@pytest.mark.promise(114)
@pytest.mark.promise(115)
@pytest.mark.parametrize("testnet", ["true", "false"])
def test_the_two_switches_of_the_old_guide_do_not_make_a_session_live(testnet: str):
    switches = {"BINANCE_TESTNET": testnet, "ENABLE_PAPER_TRADING": "true", "EXCHANGE": "binance"}
    found = load({}, switches)
    assert found.testnet is (testnet == "true")
    assert (found.dry_run, found.live_confirm) == (True, False)
    with pytest.raises(ParameterInvalid, match="ENABLE_PAPER_TRADING=false alone is refused"):
        load({}, switches | {"ENABLE_PAPER_TRADING": "false"})


def test_a_venue_s_testnet_variable_counts_for_this_venue_below_the_option(tmp_path: Path):
    file = toml(tmp_path, "testnet = false\n")
    assert not load({}, {"BINANCE_TESTNET": "true"}, None, file).testnet
    found = load({}, {"BYBIT_TESTNET": "true"}, None, file)
    assert found.testnet
    assert found.origins["testnet"].place == "BYBIT_TESTNET"
    assert not load({"testnet": False}, {"BYBIT_TESTNET": "true"}, None, file).testnet


@pytest.mark.promise(118)
def test_an_address_of_redis_may_hold_a_password_and_is_therefore_a_secret():
    found = load({}, {"REDIS_URL": "redis://:pw@keydb:6379"})
    assert found.redis_url is not None
    assert found.redis_url.reveal() == "redis://:pw@keydb:6379"
    assert "pw" not in repr(found)


@pytest.mark.promise(123)
@pytest.mark.parametrize("name", ["/models/lightgbm_v1.pkl", "m.PICKLE", "m.joblib"])
def test_a_pickled_model_is_refused_with_the_reason(name: str):
    with pytest.raises(ParameterInvalid, match="a pickle runs whatever code it holds"):
        load({}, {"ML_MODEL_PATH": name})
    assert load({}, {"ML_MODEL_PATH": "/models/v1.txt"}).ml_model_path == Path("/models/v1.txt")


@pytest.mark.promise(127)
def test_the_size_of_a_pool_that_does_not_exist_is_told_to_have_no_effect():
    assert "no effect" in load({}, {"DB_POOL_SIZE": "30"}).warnings[0]
    assert load({}, {}).warnings == ()


@pytest.mark.promise(125)
@pytest.mark.parametrize("name", ["FEATURE_BATCH_SIZE", "FEATURE_BATCH_TIMEOUT"])
def test_a_batch_that_would_make_features_old_is_told_to_have_no_effect(name: str):
    (warning,) = load({}, {name: "20"}).warnings
    assert warning.startswith(f"{name}: no effect") and "too late" in warning


@pytest.mark.promise(131)
def test_the_password_of_grafana_feeds_its_own_name_and_has_no_default():
    found = load({}, {"GRAFANA_PASSWORD": CANARY})
    assert found.gf_security_admin_password == Secret(CANARY)
    assert load({}, {}).grafana_password is None
    with pytest.raises(ParameterInvalid, match="differ; set the first alone"):
        load({}, {"GRAFANA_PASSWORD": CANARY, "GF_SECURITY_ADMIN_PASSWORD": "other"})


def test_the_key_of_the_api_is_long_enough_and_never_shown():
    key = "5f" * 32
    found = load({}, {"SECRET_KEY": key})
    assert found.secret_key == Secret(key)
    assert key not in json.dumps([asdict(each) for each in masked(found)])
    with pytest.raises(ParameterInvalid, match="SECRET_KEY; allowed: at least 32 characters"):
        load({}, {"SECRET_KEY": "short-canary"})


# ---------------------------------------------------------------- factors of the live gate


@pytest.mark.parametrize(
    "text",
    ["yes", "Yes", "YES ", " YES", "TRUE", "true", "1", "y", "ＹＥＳ", "ΥES", "YЕS", "YES\n"],
)
def test_a_near_miss_of_the_confirmation_does_not_confirm(text: str):
    assert not load({}, {"LIVE_CONFIRM": text}).live_confirm


def test_only_the_exact_word_in_the_environment_confirms(tmp_path: Path):
    assert load({}, {"LIVE_CONFIRM": "YES"}).live_confirm
    with pytest.raises(ParameterInvalid, match="LIVE_CONFIRM counts in the environment only"):
        load({}, {}, dotenv(tmp_path, "LIVE_CONFIRM=YES\n"))
    for line in ('LIVE_CONFIRM = "YES"', 'live_confirm = "YES"', "live_confirm = true"):
        with pytest.raises(ParameterInvalid, match="unknown key"):
            load({}, {}, None, toml(tmp_path, line))


@pytest.mark.promise(116)
@pytest.mark.parametrize(
    "line",
    [
        'dry_run = "false"', "dry_run = 0", "dry_run = False", 'dry_run = "no"', 'dry_run = ""',
        "dry_run = false\ndry_run = false", "DRY_RUN = false", "dry_run = false\nDRY_RUN = false",
        "[live]\ndry_run = false",
    ],
)  # fmt: skip
def test_a_near_miss_of_not_being_dry_is_refused(tmp_path: Path, line: str):
    with pytest.raises(ParameterInvalid):
        load({}, {}, None, toml(tmp_path, line))


@pytest.mark.promise(116)
@pytest.mark.parametrize("text", ["false", "False", "0", "no", "TRUE"])
def test_no_variable_says_that_a_run_is_not_dry(tmp_path: Path, text: str):
    with pytest.raises(ParameterInvalid, match="DRY_RUN"):
        load({}, {"DRY_RUN": text}, None, toml(tmp_path, "dry_run = false"))


@pytest.mark.promise(116)
def test_only_the_file_says_that_a_run_is_not_dry_and_a_variable_keeps_it_dry(tmp_path: Path):
    file = toml(tmp_path, "dry_run = false\n")
    assert not load({}, {}, None, file).dry_run
    assert load({}, {"DRY_RUN": "true"}, None, file).dry_run


# ---------------------------------------------------------------- addresses and keys


def test_addresses_come_from_any_place_and_belong_to_the_chosen_market(tmp_path: Path):
    file = toml(tmp_path, 'bybit_rest_url = "http://127.0.0.1:5"\n')
    found = load({}, {"BYBIT_WS_PUBLIC_URL": "ws://127.0.0.1:6"}, None, file)
    place = endpoints_of(found)
    assert (place.network, place.rest) == ("local", "http://127.0.0.1:5")
    assert place.public == "ws://127.0.0.1:6/v5/public/linear"


def test_a_key_from_a_file_is_the_same_key_and_its_line_end_is_cut_with_a_warning(tmp_path: Path):
    path = secret_file(tmp_path, CANARY + "\n")
    found = load({}, {"BINANCE_API_KEY": "k", "BINANCE_API_SECRET_FILE": path})
    by_file = load({}, {}, None, toml(tmp_path, f'binance_api_secret_file = "{path}"'))
    assert found.binance_api_secret == by_file.binance_api_secret == Secret(CANARY)
    told = [each for each in found.warnings if "BINANCE_API_SECRET_FILE" in each]
    assert len(told) == 1 and "cut off" in told[0]
    assert CANARY not in "".join(found.warnings)


@pytest.mark.control("C-11")
def test_a_secret_in_the_plain_environment_is_taken_with_a_warning_and_scrubbed():
    environ = {"API_KEY": CANARY, "REDIS_URL": f"redis://:{CANARY}@h", "HOME": "h"}
    found = load({}, environ)
    assert ["API_KEY" in each or "REDIS_URL" in each for each in found.warnings] == [True, True]
    scrub(environ)
    assert environ == {"HOME": "h"}


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "API_KEY is not set; give API_KEY or API_KEY_FILE"),
        ({"BYBIT_API_KEY": "k"}, "BYBIT_API_SECRET is not set"),
        ({"BYBIT_API_SECRET": "s"}, "BYBIT_API_KEY is not set"),
    ],
)
def test_half_a_key_is_refused_when_it_is_needed(environ, said):
    with pytest.raises(ParameterInvalid, match=said):
        signer_of(load({}, environ))


def test_what_a_command_needs_is_named_with_all_the_ways_to_give_it():
    with pytest.raises(ParameterInvalid) as refused:
        require(load({}, {}), "strategy.name", "symbols")
    assert "--strategy, or strategy.name in the file" in str(refused.value)
    assert "--symbols, or SYMBOLS, or symbols in the file" in str(refused.value)
    require(load({"strategy.name": "impulse", "symbols": "BTCUSDT"}, {}), "strategy.name")


# ---------------------------------------------------------------- who may see what


def every_secret() -> dict[str, str]:
    """A different canary in each secret and private variable."""
    found = {}
    for key, row in ROWS.items():
        if row.variable and not row.is_public:
            schemes = getattr(row.kind, "schemes", ())  # of an address
            prefix = f"{schemes[0]}://" if schemes else ""
            found[row.variable] = f"{prefix}{CANARY}-{key}-{'x' * 40}"[:64]
    found["GF_SECURITY_ADMIN_PASSWORD"] = found["GRAFANA_PASSWORD"]
    return found


@pytest.mark.control("C-12")
def test_no_way_of_showing_settings_shows_a_secret():
    found = load({}, every_secret())
    shown_as = json.dumps([asdict(each) for each in masked(found)])
    assert CANARY not in shown_as + "".join(found.warnings)
    secrets = [value for _, _, value in walk(found) if isinstance(value, Secret)]
    assert len(secrets) == 17
    assert CANARY not in repr(secrets) + str(pickle.dumps(secrets)) + json.dumps(secrets)


@pytest.mark.control("C-13")
def test_a_mask_does_not_tell_the_length():
    found = load({}, {"API_KEY": "k", "API_SECRET": "s" * 200})
    assert {each.value for each in masked(found) if each.key.startswith("api_")} == {"***"}


@pytest.mark.control("C-13")
@pytest.mark.parametrize("name", ["surprise", "harmless_number", "colour", "public_thing"])
def test_a_field_that_the_table_does_not_call_public_is_masked(name: str):
    more = make_dataclass(
        "More",
        [
            (name, str, CANARY),
            ("private", str, hidden(Truth(), CANARY, "Hidden.")),
            ("open", str, shown(Truth(), "seen", "Shown.")),
        ],
        bases=(Settings,),
        frozen=True,
        kw_only=True,
    )
    found = {each.key: each.value for each in masked(more())}
    assert (found[name], found["private"], found["open"]) == ("***", "***", "seen")


def test_display_holds_every_setting_once_and_is_json():
    found = masked(load({"limits.leverage_max": "2"}, {"SYMBOLS": "BTCUSDT"}))
    assert [each.key for each in found] == [
        key for key, _, section in places(Settings) if section is None
    ]
    by_key = {each.key: each for each in found}
    assert json.loads(json.dumps([asdict(each) for each in found]))
    assert (by_key["limits.leverage_max"].value, by_key["symbols"].value) == ("2", ["BTCUSDT"])
    assert by_key["limits.gross_value_max"].value == "off"
    assert by_key["data_dir"].value == str(Path("~/.hean").expanduser())
