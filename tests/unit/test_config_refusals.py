# SPDX-License-Identifier: Apache-2.0
"""Settings that are wrong: each is refused with place, name and what is allowed, all of a file at
once, without showing a secret and without hanging on a hostile file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean.config import load
from hean.config_sources import FILE_BYTES_MAX
from hean.config_table import Settings
from hean.errors import ParameterInvalid

CANARY = "canary-3f81c2d7"


def refusal(
    *,
    environ: dict[str, str] | None = None,
    dotenv: Path | None = None,
    file: Path | None = None,
    cli: dict[str, object] | None = None,
) -> str:
    """The sentences of a refusal."""
    with pytest.raises(ParameterInvalid) as refused:
        load(cli or {}, environ or {}, dotenv, file)
    assert CANARY not in str(refused.value)
    return refused.value.message


def write(folder: Path, content: str | bytes, name: str = "hean.toml", mode: int = 0o600) -> Path:
    """A file of these bytes."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


# ---------------------------------------------------------------- files that are no settings


NOT_TEXT = [
    (b"\xef\xbb\xbfdepth = 50\n", ":1: begins with a byte order mark"),
    ("depth = 50\n".encode("utf-16"), ":1: begins with a byte order mark"),
    ("depth = 50\n".encode("utf-16-le"), ":1: holds a NUL byte"),
    (b"depth = 50\n\nbar = \x00", ":3: holds a NUL byte"),
    (b"depth = 50\nbar = \xff\xfe", ":2: not UTF-8 text"),
    (b"#" * (FILE_BYTES_MAX + 1), "larger than 65,536 bytes"),
]


@pytest.mark.parametrize(("content", "said"), NOT_TEXT)
@pytest.mark.parametrize("name", ["hean.toml", ".env"])
def test_a_file_that_is_not_plain_text_is_refused(tmp_path: Path, name, content, said):
    path = write(tmp_path, content, name)
    assert said in refusal(**{"file" if name == "hean.toml" else "dotenv": path})


def test_what_is_no_file_is_refused_and_a_pipe_does_not_hold_the_command(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refusal(file=tmp_path / "pipe")
    assert "not a regular file" in refusal(file=tmp_path)
    assert "No such file" in refusal(file=tmp_path / "none")
    assert "No such file" in refusal(environ={"HEAN_CONFIG": str(tmp_path / "none")})
    assert "cannot be read" in refusal(file=tmp_path / ("x" * 5000))


SYNTAX = [
    ("depth = ", ":1:9: Invalid value"),
    ("depth 50", ":1:7: Expected '='"),
    ("\n[limits\n", ":2:8: Expected ']'"),
    ("a = 1\nb = 08\n", ":2:"),
    ("depth = 1__0", ":1:"),
    ("[limits]\nleverage_max = 2\n\nleverage_max = 3\n",
     ":4: duplicate key 'limits.leverage_max' (first at line 2)"),
    ("[limits]\n[limits]\n", ":2: duplicate table 'limits' (first at line 1)"),
    ("limits.leverage_max = 2\nlimits.leverage_max = 3\n", ":2: duplicate key"),
    ('"dry_run" = false\ndry_run = true\n', ":2: duplicate key 'dry_run' (first at line 1)"),
    ("x = " + "[" * 5_000, "nested too deep"),
    ("x = " + "[" * 30_000 + "]" * 30_000, "nested too deep"),
    ("x = " + "{a=" * 10_000, "nested too deep"),
    (f"x = {'9' * 5_000}", "too many digits"),
    ("a." * 30_000 + "a = 1", "more than 200 dots"),
    ("[" + "a." * 30_000 + "a]", "more than 200 dots"),
    ("x = {" + "a." * 30_000 + "a=1}", "more than 200 dots"),
    (" " * 60_000 + "x", ":1:"),
    ("a\tb = 1", ":1:"),
    ("<<: *a\na: &a [*a]", ":1:"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), SYNTAX, ids=range(len(SYNTAX)))
def test_broken_toml_is_refused_with_line_and_column(tmp_path: Path, text, said):
    found = refusal(file=write(tmp_path, text))
    assert said in found
    assert len(found) < 1_000


DOTENV = [
    ("EXCHANGE", ":1: not NAME=value"),
    ("A B=1", ":1: not NAME=value"),
    ("\nEXCHANGE=bybit\nEXCHANGE=bybit", ":3: duplicate EXCHANGE (first at"),
    ('EXCHANGE="bybit', ":1: EXCHANGE: a quote without its partner"),
    ("EXCHANGE='bybit\"", ":1: EXCHANGE: a quote without its partner"),
    ('EXCHANGE=by"bit"', ":1: EXCHANGE: a quote without its partner"),
    ('EXCHANGE="bybit"x', ":1: EXCHANGE: a quote without its partner"),
    ("EXCHANG=bybit", ":1: unknown variable 'EXCHANG'; nearest EXCHANGE"),
    ("exchange=bybit", ":1: unknown variable 'exchange'"),
    ("EXCHANGE=${VENUE}", "${...} is not filled in here"),
    ("EXCHANGE=bybit; rm -rf /", "allowed: bybit, binance"),
]


@pytest.mark.parametrize(("text", "said"), DOTENV)
def test_a_line_of_dotenv_that_means_nothing_is_refused_with_its_number(tmp_path: Path, text, said):
    assert said in refusal(dotenv=write(tmp_path, text, ".env"))


# ---------------------------------------------------------------- values


VALUES = [
    ('limits.leverage_max = "3x"', "limits.leverage_max is '3x'; allowed: a number from 1 to 125"),
    ("limits.leverage_max = [3]", "limits.leverage_max is [3]"),
    ("limits.leverage_max = true", "limits.leverage_max is True"),
    ('limits.leverage_max = ""', "limits.leverage_max is ''"),
    ('limits.leverage_max = "off"', "limits.leverage_max is 'off'"),
    ("limits.leverage_max = 0", "is 0; allowed: a number from 1 to 125"),
    ("limits.leverage_max = -1", "is -1; allowed"),
    ("limits.leverage_max = 1e18", "allowed: a number from 1 to 125"),
    ("limits.leverage_max = nan", "is NaN; allowed"),
    ("limits.leverage_max = inf", "is Infinity; allowed"),
    ("limits.leverage_max = 1979-05-27", "is 1979-05-27; allowed"),
    ("limits.leverage_max = {a = 1}", "allowed: a number"),
    ('limits.order_value_max = "1e3"', "plain digits; or off"),
    ('limits.order_value_max = "0x10"', "plain digits; or off"),
    ('limits.order_value_max = "08"', "plain digits; or off"),
    ('limits.order_value_max = "1_000"', "plain digits; or off"),
    ('limits.order_value_max = "1,000"', "plain digits; or off"),
    ('limits.order_value_max = "１０"', "plain digits; or off"),
    ("limits.daily_loss_fraction_max = 5", ("is 5; allowed: a number from 0.000000001 to 0.99, a "
     "fraction: 5 % is 0.05")),
    ('limits.daily_loss_fraction_max = "5%"', "a fraction: 5 % is 0.05"),
    ("limits.daily_loss_fraction_max = 0", "allowed"),
    ("limits.open_orders_max = 1.5", "allowed: a whole number"),
    ('limits.open_orders_max = "5"', "without quotes; or off"),
    ("limits.max_posiiton = 5", "unknown key 'limits.max_posiiton'; nearest limits."),
    ("limits.position_value_mx = 5", "nearest limits.position_value_max"),
    ("limits = 5", "unknown key 'limits'"),
    ("strategy = \"impulse\"", "unknown key 'strategy'; nearest strategy.name"),
    ("[limit]\nleverage_max = 2", "unknown key 'limit'"),
    ("[[limits]]\nleverage_max = 2", "unknown key 'limits'"),
    ("MAX_LEVERAGE = 2", "in the file it is called limits.leverage_max"),
    ("testnet = \"true\"", "testnet is 'true'; allowed: true or false, without quotes"),
    ("testnet = 1", "testnet is 1; allowed: true or false"),
    ("exchange = \"Bybit\"", "exchange is 'Bybit'; allowed: bybit, binance"),
    ("exchange = 1", "exchange is 1"),
    ("symbols = []", "symbols is []; allowed: 1 to 500 symbols"),
    ("symbols = \"BTCUSDT\"", 'allowed: a list such as ["BTCUSDT", "ETHUSDT"]'),
    ("symbols = [\"BTCUSDT\", \"btc/usdt\"]", "each symbol once; BTCUSDT is there twice"),
    ("symbols = [\"BTCUSDT\", 5]", "a list such as"),
    ("symbols = [\"<img>\"]", "letters and digits"),
    ("symbols = [\"ＢＴＣ\"]", "letters and digits"),
    ("bar = \"1 minute\"", "allowed: a bar length such as"),
    ("depth = true", "depth is True; allowed: 50, 200, 1000"),
    ("cash = 0", "allowed: a number from 0.00000001"),
    ("seed = -1", "allowed: 0 to"),
    ("fees = \"${FEES}\"", "${...} is not filled in here"),
    ("[strategy.params]\na = [1]", "strategy.params"),
    ("[strategy.params]\na = \"${X}\"", "${...} is not filled in"),
    ("[strategy.params.a]\nb = 1", "for 'a'"),
    ("strategy.params = 5", "allowed: a table"),
    ("bybit_rest_url = \"https://u:p@api.bybit.com\"", "without user name and query"),
    ("bybit_rest_url = \"https://[::1\"", "https:// and a host"),
    ("bybit_rest_url = \"https://h:99999\"", "https:// and a host"),
    ("bybit_rest_url = \"ftp://api.bybit.com\"", "https:// and a host"),
    ("bybit_ws_public_url = \"https://stream.bybit.com\"", "wss:// and a host"),
    ("hean_api_port = 0", "allowed: 1 to 65535"),
    ("hean_api_port = 65536", "allowed: 1 to 65535"),
    ("rust_log = \"a\\nb\"", "allowed: a filter"),
    ("account_id = \"a b\"", "account_id; allowed: letters"),
    (f"bybit_api_key = \"{CANARY}\"", ("a secret does not belong there; name its file with "
     "bybit_api_key_file")),
    (f"api_secret = \"{CANARY}\"", "api_secret_file"),
    ("api_secret_file = 5", "api_secret_file is not a path"),
    ("config = \"x\"", "unknown key 'config'"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "said"), VALUES)
def test_a_wrong_value_of_the_file_is_refused_with_its_line_and_what_is_allowed(
    tmp_path: Path, line, said
):
    path = write(tmp_path, f"# a remark\n{line}\n")
    found = refusal(file=path)
    assert found.startswith((f"{path}:2: ", f"{path}:3: ")), found
    assert said in found


VARIABLES = [
    ({"MAX_LEVERAGE": text}, "MAX_LEVERAGE is")
    for text in (
        "3x",
        "1e1",
        "0x10",
        "08",
        "1_0",
        "+3",
        " 3",
        "3 ",
        "٣",
        "nan",
        "inf",
        "-1",
        "1000",
    )
] + [
    ({"DAILY_DRAWDOWN_LIMIT": "5"}, "a fraction: 5 % is 0.05"),
    ({"DAILY_DRAWDOWN_LIMIT": "5%"}, "a fraction: 5 % is 0.05"),
    *(
        ({"ENABLE_PAPER_TRADING": text}, "ENABLE_PAPER_TRADING is")
        for text in ("yes", "no", "on", "off", "1", "0", "True", "FALSE", "null")
    ),
    ({"SYMBOLS": "BTCUSDT,,ETHUSDT"}, "letters and digits"),
    ({"SYMBOLS": "BTCUSDT,BTCUSDT"}, "BTCUSDT is there twice"),
    ({"SYMBOLS": ","}, "letters and digits"),
    ({"LOG_LEVEL": "debug"}, "LOG_LEVEL is 'debug'; allowed: DEBUG, INFO"),
    ({"EVENT_MAX_QUEUE_SIZE": "0"}, "allowed: 1000 to 10000000"),
    ({"REDIS_URL": f"http://{CANARY}"}, "REDIS_URL; allowed: redis://... or rediss://..."),
    ({"API_KEY": f"{CANARY} {CANARY}"}, "API_KEY; allowed: one word of plain text"),
    ({"API_KEY": "${CANARY}"}, "API_KEY; allowed: the value itself"),
    ({"API_SECRET": "changeme"}, "a known default or sample"),
    ({"GRAFANA_PASSWORD": "admin"}, "a known default or sample"),
    ({"API_KEY": CANARY, "API_KEY_FILE": "f"}, "API_KEY and API_KEY_FILE are both set"),
    ({"API_KEY_FILE": "/nowhere/at/all"}, "API_KEY_FILE: /nowhere/at/all: cannot be read: No such"),
    ({"API_KEY_FILE": "${X}"}, "API_KEY_FILE is not a path"),
    ({"HEAN_DATADIR": "x"}, "unknown variable 'HEAN_DATADIR'; nearest HEAN_DATA_DIR"),
    ({"HEAN_WHATEVER": "x"}, "unknown variable 'HEAN_WHATEVER'"),
    ({"MAX_POSITON_SIZE": "5"}, "unknown variable 'MAX_POSITON_SIZE'; nearest MAX_POSITION_SIZE"),
    ({"BYBIT_REST_URI": "x"}, "nearest BYBIT_REST_URL"),
]


@pytest.mark.control("C-10")
@pytest.mark.parametrize(("environ", "said"), VARIABLES)
def test_a_wrong_variable_is_refused(environ: dict[str, str], said: str):
    assert said in refusal(environ=environ)


@pytest.mark.control("C-10")
@pytest.mark.parametrize("name", ["API_SECRET", "SECRET_KEY", "GRAFANA_PASSWORD"])
@pytest.mark.parametrize("text", ["admin", "admin123", "password", "changeme", "Admin123"])
def test_no_known_default_is_taken_for_a_secret(name: str, text: str):
    said = refusal(environ={name: text})
    assert name in said and ("known default" in said or "at least 32 characters" in said)


def test_variables_of_other_programs_are_nobody_s_business():
    others = dict.fromkeys(
        ("PATH", "OPENAI_API_KEY", "AI_KEY", "LOG", "REDIS", "HEAN_TWIN_KEY", "HEAN_SHARED"), "x"
    )
    assert load({}, others).warnings == ()


# ---------------------------------------------------------------- secrets in files


@pytest.mark.control("C-11")
@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (CANARY, 0o644, "others may read it"),
        (CANARY, 0o640, "others may read it"),
        (CANARY, 0o602, "others may read it"),
        ("", 0o600, "one word of plain text"),
        (f"{CANARY}\n{CANARY}\n", 0o600, "one word of plain text"),
        (f"{CANARY}\0", 0o600, "holds a NUL byte"),
        (CANARY * 500, 0o600, "larger than 4,096 bytes"),
        (b"\xff\xfe" + CANARY.encode(), 0o600, "byte order mark"),
        ("schlüssel", 0o600, "one word of plain text"),
    ],
)
def test_a_secret_s_file_that_is_open_or_holds_no_secret_is_refused(
    tmp_path: Path, content, mode, said
):
    path = write(tmp_path, content, "secret", mode)
    assert said in refusal(environ={"BYBIT_API_SECRET_FILE": str(path)})


@pytest.mark.control("C-11")
def test_a_dotenv_file_with_a_secret_must_be_private_and_one_without_need_not(tmp_path: Path):
    path = write(tmp_path, f"API_KEY={CANARY}\n", ".env", 0o644)
    assert "others may read it, and it holds a secret; chmod 600 it" in refusal(dotenv=path)
    load({}, {}, write(tmp_path, "API_KEY=\nEXCHANGE=bybit\n", ".env", 0o644))


# ---------------------------------------------------------------- contradictions


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('testnet = true\nbybit_rest_url = "https://api.bybit.com"', "BYBIT_REST_URL is mainnet"),
        ('testnet = false\nbybit_rest_url = "https://api-testnet.bybit.com"', "is testnet"),
        ('bybit_rest_url = "https://api.bybit.com.evil.example"', "not bybit's"),
        ('bybit_rest_url = "http://api.bybit.com"', "unencrypted"),
        ("[limits]\norder_value_max = 20000", ("limits.order_value_max 20000 is above "
         "limits.position_value_max 10000")),
        ("[limits]\nposition_value_max = 5\ngross_value_max = 4", "limits.gross_value_max 4"),
        ("enable_paper_trading = false", "ENABLE_PAPER_TRADING=false alone"),
        ("enable_paper_trading = false\ndry_run = false", "ENABLE_PAPER_TRADING=false alone"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused_with_both_sides(tmp_path: Path, text, said):
    assert said in refusal(file=write(tmp_path, text))


# ---------------------------------------------------------------- all of it


def test_one_run_shows_everything_that_is_wrong_in_every_place(tmp_path: Path):
    file = write(tmp_path, 'depth = 7\nsymbol = "x"\n\n[limits]\nleverage_max = "3x"\n')
    env_file = write(tmp_path, "EXCHANGE=kraken\nLOGLEVEL=INFO\n", ".env")
    found = refusal(
        file=file, dotenv=env_file, environ={"GRAFANA_PORT": "x"}, cli={"seed": "-1", "limits.x": 1}
    )
    lines = found.splitlines()
    assert lines[0] == "8 settings are wrong:"
    assert len(lines) == 9
    for place in (
        f"{file}:1: depth", f"{file}:2: unknown key 'symbol'; nearest symbols", f"{file}:5: ",
        f"{env_file}:1: EXCHANGE is 'kraken'", f"{env_file}:2: unknown variable 'LOGLEVEL'",
        "GRAFANA_PORT is 'x'", "--seed '-1'", "--limit x: unknown setting",
    ):  # fmt: skip
        assert place in found


def test_no_more_than_fifty_sentences_are_shown_and_the_rest_is_counted(tmp_path: Path):
    text = "".join(f"k{number} = 1\n" for number in range(4_000))
    lines = refusal(file=write(tmp_path, text)).splitlines()
    assert lines[0] == "4000 settings are wrong:"
    assert len(lines) == 52
    assert lines[-1] == "  ... and 3950 more"


def test_text_of_a_file_cannot_write_to_the_terminal(tmp_path: Path):
    text = 'exchange = "\\u001b[31m\\nred"\n"\\u001b[2J" = 1\n'
    found = refusal(file=write(tmp_path, text))
    assert "\x1b" not in found
    assert len(found.splitlines()) == 3


@given(
    st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "ignore"))
)
def test_no_bytes_make_it_fail_in_another_way(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
):
    path = write(tmp_path_factory.getbasetemp(), content, "any")
    for places in ({"file": path}, {"dotenv": path}):
        try:
            assert isinstance(load({}, {}, **places), Settings)
        except ParameterInvalid as error:
            assert error.message.isascii()


KEYS = ["depth", "symbols", "limits.leverage_max", "limits", "strategy.params", "dry_run", "cash"]
SCALARS = ["1", "-1", "1e999", "nan", "true", '""', '"x"', "[]", "[[1]]", "{}", "{a=1}", "0x1F"]
SCALARS += ["1979-05-27T07:32:00Z", "'''\n'''", "[{a=[]}]", '"\\u0000"', '"\\ud7ff"', "9" * 400]


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(SCALARS)), max_size=5))
def test_no_value_makes_it_fail_in_another_way(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str]]
):
    text = "\n".join(f"{key} = {value}" for key, value in lines)
    path = write(tmp_path_factory.getbasetemp(), text, "any.toml")
    try:
        load({}, {}, None, path)
    except ParameterInvalid as error:
        assert error.message.isascii()
