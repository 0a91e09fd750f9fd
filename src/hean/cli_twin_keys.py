# SPDX-License-Identifier: Apache-2.0
"""The keys of a twin: from options, variables or secret files, else made once and kept in a file
that only its owner can read. No secret is printed; one given on the command line is wiped from
what other users of the machine see of the process.
"""

from __future__ import annotations

import ctypes
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from hean.errors import EnvironmentFault, ParameterInvalid

KEY_LENGTH_MAX = 256  # the longest key of a venue has 64 characters
SECRET_FILE_BYTES_MAX = 4_096
NAMES = ("main", "second", "readonly")
OPTIONS = {
    "main": ("--key", "--secret"),
    "second": ("--key2", "--secret2"),
    "readonly": ("--readonly-key", "--readonly-secret"),
}
VARIABLES = {
    "main": ("HEAN_TWIN_KEY", "HEAN_TWIN_SECRET"),
    "second": ("HEAN_TWIN_KEY2", "HEAN_TWIN_SECRET2"),
    "readonly": ("HEAN_TWIN_READONLY_KEY", "HEAN_TWIN_READONLY_SECRET"),
}
Pairs = dict[str, tuple[str, str]]


@dataclass(frozen=True)
class GivenKey:
    """A key and its secret as the command line has them."""

    key: str | None
    secret: str | None = field(repr=False)


def keys_of(
    given: Mapping[str, GivenKey], environment: Mapping[str, str], data_dir: Path
) -> tuple[Pairs, Path | None]:
    """Name to key and secret. *Returns*: the pairs, and the file they lie in if they were made.

    *Raises*: `ParameterInvalid`, `EnvironmentFault`.
    """
    pairs: Pairs = {}
    for name in NAMES:
        pair = _pair(name, given[name], environment)
        if pair is not None:
            pairs[name] = pair
    if not pairs:
        path = data_dir.expanduser() / "twin-keys.json"
        return _made(path), path
    if "main" not in pairs:
        raise ParameterInvalid("a further key needs the first one; give --key and --secret.")
    if len({key for key, _ in pairs.values()}) < len(pairs):
        raise ParameterInvalid("two accounts have the same key; give each its own.")
    return pairs, None


def _pair(name: str, given: GivenKey, environment: Mapping[str, str]) -> tuple[str, str] | None:
    key_option, secret_option = OPTIONS[name]
    key_variable, secret_variable = VARIABLES[name]
    key = given.key if given.key is not None else environment.get(key_variable)
    secret = given.secret
    if secret is None:
        secret = _from_environment(secret_variable, environment)
    if key is None and secret is None:
        return None
    if key is None or secret is None:
        missing = key_option if key is None else f"{secret_option} or {secret_variable}"
        raise ParameterInvalid(f"the {name} key is only half given: {missing} is missing.")
    return _checked(key, key_option), _checked(secret, secret_option)


def _from_environment(variable: str, environment: Mapping[str, str]) -> str | None:
    direct, file = environment.get(variable), environment.get(f"{variable}_FILE")
    if direct is not None and file is not None:
        raise ParameterInvalid(f"{variable} and {variable}_FILE are both set; set one.")
    if file is None:
        return direct
    path = Path(file).expanduser()
    try:
        if path.exists() and not path.is_file():
            raise ParameterInvalid(f"{variable}_FILE {file}: not a regular file.")
        with path.open("rb") as stream:
            data = stream.read(SECRET_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ParameterInvalid(f"{variable}_FILE {file}: {error.strerror or error}.") from None
    text = data.decode("ascii", "replace")
    if text != text.strip():
        typer.echo(f"warning: {variable}_FILE {file}: blank space around it is ignored.", err=True)
    return text.strip()


def _checked(text: str, option: str) -> str:
    is_plain = text.isascii() and text.isprintable() and " " not in text
    if not is_plain or not 1 <= len(text) <= KEY_LENGTH_MAX:
        raise ParameterInvalid(
            f"{option}: {len(text)} characters; allowed: 1 to {KEY_LENGTH_MAX} printable ASCII "
            "characters without blanks."
        )
    return text


def _made(path: Path) -> Pairs:
    """The keys of the file; it is written if it does not exist yet."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            pairs = {name: [secrets.token_hex(16), secrets.token_hex(32)] for name in NAMES}
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump(pairs, file, indent=2)
        found: Any = json.loads(path.read_bytes())
        return {name: (str(found[name][0]), str(found[name][1])) for name in NAMES}
    except OSError as error:
        raise EnvironmentFault(f"{path}: {error.strerror or error}") from None
    except (ValueError, LookupError, TypeError):
        raise ParameterInvalid(
            f"{path} is no key file of the twin; remove it and a new one is made."
        ) from None


def wipe_from_title(words: list[str]) -> None:
    """Overwrite arguments in this process's title, where the system lets us (Linux)."""
    with suppress(OSError, ValueError, IndexError):
        title = Path("/proc/self/cmdline").read_bytes()
        # Fields 48 and 49 of stat say where the title lies; the name before them may have blanks.
        stat = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        begin = int(stat[45])
        for word in words:
            wanted = word.encode()
            place = title.find(wanted)
            while wanted and place >= 0:
                ctypes.memset(begin + place, ord("*"), len(wanted))
                place = title.find(wanted, place + len(wanted))
