# SPDX-License-Identifier: Apache-2.0
"""`trial_log.py`: every configuration ever evaluated, one JSON line each, appended and never
changed. How good the best of many looks depends on how many there were, so the count must outlive
the command. Each line carries the hash of the line before it: a line that was changed, or taken
out of the middle, shows. The same trial on the same data again is no new trial.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import inspect
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hean import __version__
from hean.backtest.result import Values
from hean.errors import EnvironmentFault
from hean.evaluate.plays import Played
from hean.strategies import load_strategy

NAME = "trials.log"  # no ending of market data: `--data` may name the folder it lies in
FIRST = "0" * 64  # what the first line names as the line before it


class Trial(msgspec.Struct, frozen=True):
    """One evaluated configuration.

    *key*: hash of code, data, parameters, account, exchange and seed. *sharpe*: per day, `None`
    without spread. *days*, *returns*: first day and the daily net returns, as the bytes of 32-bit
    floats in base 64. *before*: hash of the line before.
    """

    key: str
    strategy: str
    code: str
    data: str
    symbols: list[str]
    params: dict[str, Any]
    seed: int
    sharpe: float | None
    first_day: int
    returns: str
    before: str

    @property
    def daily(self) -> Values:
        """Net returns by day."""
        raw = base64.b64decode(self.returns)
        return np.frombuffer(raw, dtype="<f4").astype(np.float64)


class Found(msgspec.Struct, frozen=True):
    """What a log holds: its trials, and what is wrong with it in words."""

    trials: list[Trial]
    problems: list[str]


def code_hash(spec: str) -> str:
    """SHA-256 of the strategy's source file and HEAN's version."""
    source = inspect.getsourcefile(load_strategy(spec))
    content = Path(source).read_bytes() if source else spec.encode()
    return hashlib.sha256(content + __version__.encode()).hexdigest()


def trial_of(played: Played, code: str, *, sharpe: float | None) -> Trial:
    """The line for a run; the hash of the line before is not known yet."""
    settings, summary = played.settings, played.summary
    data = _hash([[item["sha256"] for item in summary["data"]], summary["start"], summary["end"]])
    key = _hash(
        [
            code,
            data,
            list(settings.symbols),
            {name: str(value) for name, value in summary["params"].items()},
            # Without judges a trial is the same trial as before there were any.
            repr(settings.account).replace(", judges=UNSET", ""),
            repr(settings.assumptions),
            [settings.seed, settings.bar],
        ]
    )
    raw = played.returns.astype("<f4").tobytes()
    return Trial(
        key,
        summary["strategy"],
        code,
        data,
        list(settings.symbols),
        summary["params"],
        settings.seed,
        sharpe,
        played.first_day,
        base64.b64encode(raw).decode(),
        FIRST,
    )


def read(folder: Path) -> Found:
    """All trials of the log in *folder*, oldest first; damage is told, not repaired."""
    path = folder / NAME
    try:
        lines = path.read_bytes().splitlines() if path.exists() else []
    except OSError as error:
        raise EnvironmentFault(f"{path}: cannot be read ({error.strerror or error}).") from error
    return _parsed(lines)


def append(folder: Path, trials: Sequence[Trial]) -> Found:
    """Add those that are not in the log yet. *Returns*: the whole log.

    *Raises*: `EnvironmentFault` if it cannot be written.
    """
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed
            file.seek(0)
            content = file.read()
            found = _parsed(content.splitlines())
            known = {trial.key for trial in found.trials}
            before = _line_hash(content.splitlines()[-1]) if content else FIRST
            for trial in trials:
                if trial.key in known:
                    continue
                known.add(trial.key)
                trial = msgspec.structs.replace(trial, before=before)
                line = msgspec.json.encode(trial)
                # A line that a crash has cut short keeps its damage, and the next is whole.
                file.write((b"" if content[-1:] in (b"", b"\n") else b"\n") + line + b"\n")
                content, before = b"", _line_hash(line)
                found.trials.append(trial)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise EnvironmentFault(f"{path}: cannot be written ({error.strerror or error}).") from error
    return found


def about(trials: Iterable[Trial], symbols: Sequence[str]) -> list[Trial]:
    """Those that looked at one of *symbols*: whoever tries a second idea on the same market, or the
    same idea on a slightly other period, has tried twice.
    """
    wanted = set(symbols)
    return [trial for trial in trials if wanted & set(trial.symbols)]


def _parsed(lines: Sequence[bytes]) -> Found:
    trials, problems, before = [], [], FIRST
    for number, line in enumerate(lines, 1):
        try:
            trial = msgspec.json.decode(line, type=Trial)
        except (msgspec.DecodeError, UnicodeDecodeError):
            problems.append(f"line {number} of {NAME} is damaged")
        else:
            if trial.before != before:
                problems.append(f"{NAME} was altered before line {number}")
            trials.append(trial)
        before = _line_hash(line)
    return Found(trials, problems)


def _line_hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _hash(parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
