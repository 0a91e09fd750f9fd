# SPDX-License-Identifier: Apache-2.0
"""`config_sources.py`: the texts that settings are written in, read whole or refused whole. A file
is checked before it is parsed: its size, its encoding, that it is a file at all; of `.env` and TOML
every name keeps its line, and a name that comes twice is an error with both places. Values are not
judged here, and none is ever repeated in a message, because it may be a secret.
"""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from stat import S_IMODE, S_ISREG
from typing import Any

from hean.data.problems import shown

FILE_BYTES_MAX = 65_536  # a hundred settings with remarks fill a tenth of it
SECRET_BYTES_MAX = 4_096  # keys have below 100 characters; a larger file is some other file
DOTS_PER_LINE_MAX = 200  # a name of ten thousand parts would hold the parser for minutes
PRIVATE_MODE = 0o077  # rights of group and others, which a file with secrets must not have
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TABLE = re.compile(r"\s*(?P<opening>\[\[?)(?P<name>[^\[\]]+)\]\]?\s*(#.*)?")
_KEY = re.compile(r"[\w.\"' \t-]+")
_AT_LINE = re.compile(r" ?\(at line (\d+), column (\d+)\)")


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was written. *name*: option, variable or key. *place*: the file and line, or
    the name again. *is_text*: not typed by TOML. *file*: that the value was read from.
    """

    value: object
    name: str
    place: str
    is_text: bool = True
    file: str = ""


class Unreadable(Exception):
    """A file that cannot be used at all; `lines` say why, each with its place."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def text_of(path: Path, *, bytes_max: int = FILE_BYTES_MAX, is_private: bool = False) -> str:
    """The text of a file. *is_private*: only its owner may have rights. *Raises*: `Unreadable`."""
    name = shown_path(path)
    try:
        state = path.stat()
        if not S_ISREG(state.st_mode):
            raise Unreadable(f"{name}: not a regular file.")
        if is_private and S_IMODE(state.st_mode) & PRIVATE_MODE:
            raise Unreadable(f"{name}: others may read it, and it holds a secret; chmod 600 it.")
        with path.open("rb") as stream:
            data = stream.read(bytes_max + 1)
    except OSError as error:
        raise Unreadable(f"{name}: cannot be read: {error.strerror}.") from None
    except ValueError:
        raise Unreadable(f"{name}: not a path.") from None
    if len(data) > bytes_max:
        raise Unreadable(f"{name}: larger than {bytes_max:,} bytes.")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF8)):
        raise Unreadable(f"{name}:1: begins with a byte order mark; save it as UTF-8 without one.")
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise Unreadable(f"{name}:{line}: holds a NUL byte; save it as UTF-8 text.")
    try:
        return data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"{name}:{line}: not UTF-8 text.") from None


def shown_path(path: Path) -> str:
    """A path in a message."""
    return ascii(str(path))[1:-1][-200:]


def read_dotenv(path: Path) -> dict[str, Given]:
    """Variables of a `.env` file: `NAME=value`, quotes around it if one likes, remarks after `#`.

    *Raises*: `Unreadable` with every line that is not so.
    """
    found: dict[str, Given] = {}
    wrong: list[str] = []
    for number, line in enumerate(text_of(path).split("\n"), 1):
        place = f"{shown_path(path)}:{number}"
        stripped = line.strip().removeprefix("export ").lstrip()
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, rest = stripped.partition("=")
        if not equals or not _NAME.fullmatch(name):
            wrong.append(f"{place}: not NAME=value.")
        elif name in found:
            wrong.append(f"{place}: duplicate {name} (first at {found[name].place}).")
        elif (value := _unquoted(rest.strip())) is None:
            wrong.append(f"{place}: {name}: a quote without its partner; use none, or one pair.")
        else:
            found[name] = Given(value, name, place)
    if wrong:
        raise Unreadable(*wrong)
    return found


def _unquoted(text: str) -> str | None:
    """The value of a line without quotes or remark; `None` if the quotes do not fit."""
    quote = text[:1]
    if quote in ("'", '"'):
        value, closing, rest = text[1:].partition(quote)
        rest = rest.strip()
        return value if closing and (not rest or rest.startswith("#")) else None
    value = re.split(r"(?:^|\s)#", text, maxsplit=1)[0].strip()
    return None if "'" in value or '"' in value else value


def read_toml(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """A TOML file and the line of each name in it. *Raises*: `Unreadable`."""
    text = text_of(path)
    name = shown_path(path)
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > DOTS_PER_LINE_MAX:
            raise Unreadable(f"{name}:{number}: more than {DOTS_PER_LINE_MAX} dots in one line.")
    lines, doubled = _lines_of(text)
    try:
        return tomllib.loads(text, parse_float=_decimal), lines
    except tomllib.TOMLDecodeError as error:
        if doubled:
            raise Unreadable(*(f"{name}:{each}" for each in doubled)) from None
        raise Unreadable(_syntax(name, text, str(error))) from None
    except (RecursionError, ValueError):
        raise Unreadable(f"{name}: nested too deep, or a number with too many digits.") from None


def _decimal(text: str) -> Decimal:
    """The exact value of a TOML float; what is too large for any setting is not a number."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("nan")


def _syntax(name: str, text: str, message: str) -> str:
    """`file:line:column: sentence` of a parser's message."""
    at = _AT_LINE.search(message)
    last = text.split("\n")
    line, column = at.groups() if at else (len(last), len(last[-1]) + 1)
    sentence = ascii(_AT_LINE.sub("", message).replace(" (at end of document)", ""))[1:-1]
    return f"{name}:{line}:{column}: {sentence[:200]}; see toml.io for the form."


def _lines_of(text: str) -> tuple[dict[str, int], list[str]]:
    """First line of each dotted name, and `line: sentence` of each name that comes again."""
    lines: dict[str, int] = {}
    tables: dict[str, int] = {}
    doubled: list[str] = []
    table = ""
    for number, line in enumerate(text.split("\n"), 1):
        if match := _TABLE.fullmatch(line):
            table = _dotted(match["name"])
            first = tables.setdefault(table, number)
            for parent in parents(table):
                lines.setdefault(parent, number)
            if first != number and match["opening"] == "[":
                doubled.append(f"{number}: duplicate table {shown(table)} (first at line {first}).")
        elif "=" in line and _KEY.fullmatch(name := line.partition("=")[0]):
            key = _dotted(f"{table}.{name}" if table else name)
            first = lines.setdefault(key, number)
            if first != number:
                doubled.append(f"{number}: duplicate key {shown(key)} (first at line {first}).")
    return lines, doubled


def _dotted(name: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in name.split("."))


def parents(key: str) -> Iterator[str]:
    """`a.b.c`, `a.b`, `a`."""
    while key:
        yield key
        key = key.rpartition(".")[0]


def flattened(
    tree: Mapping[str, Any], tables: frozenset[str], at: str = ""
) -> Iterator[tuple[str, Any]]:
    """Dotted names and values; what is not in *tables* is not opened."""
    for name, value in tree.items():
        key = f"{at}.{name}" if at else name
        if key in tables and isinstance(value, Mapping):
            yield from flattened(value, tables, key)
        else:
            yield key, value
