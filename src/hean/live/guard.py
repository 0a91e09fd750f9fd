# SPDX-License-Identifier: Apache-2.0
"""`guard.py`: starts the watchdog beside a trading process. It gets a session of its own, so that
what ends the one does not end the other; job and key go through a pipe that is closed at once, and
its environment holds no setting and no secret. Nothing stops it: it ends by itself when the
trading process has ended in order.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from hean.config import VARIABLES
from hean.errors import EnvironmentFault, ParameterInvalid
from hean.live.settings import LiveSettings
from hean.live.watch import SILENT_S
from hean.risk.levels import CANCEL_ALL, FLATTEN
from hean.secret import Secret
from hean.venues.endpoints import Endpoints
from hean.venues.signing import Signer

Policy = Literal["cancel", "flatten"]
INHERITED = "--inherited"
KEY_BYTES_MAX = 16_384  # a job with its keys; fits into a pipe that nobody reads yet

LEVELS: dict[Policy, str] = {"cancel": CANCEL_ALL, "flatten": FLATTEN}


class Job(msgspec.Struct, frozen=True):
    """What a watchdog watches. *data_dir*: of the trading process, and its files there; *policy*:
    what is done when it is silent for *after_s*: its orders go, protective stops stay, and with
    `flatten` positions are closed too; *budget_scale*: for a venue that allows so many times the
    documented rates.
    """

    data_dir: Path
    journal: Path
    latch: Path
    control: Path
    endpoints: Endpoints
    policy: Policy = "cancel"
    after_s: float = SILENT_S
    budget_scale: int = 1

    @property
    def level(self) -> str:
        """Of the kill switch, once it has acted."""
        return LEVELS[self.policy]

    def check(self) -> None:
        """*Raises*: `ParameterInvalid` for what cannot be done."""
        if self.policy == "flatten" and self.endpoints.market != "linear":
            raise ParameterInvalid(
                "spot has no positions that an order could only reduce: a watchdog cannot tell "
                "HEAN's coins from yours. Choose the policy cancel."
            )


def job_of(
    settings: LiveSettings,
    endpoints: Endpoints,
    *,
    policy: Policy = "cancel",
    after_s: float = SILENT_S,
    budget_scale: int = 1,
) -> Job:
    """The watchdog's part of what a trading process is to do."""
    return Job(
        settings.data_dir.absolute(),
        settings.journal.absolute(),
        settings.latch.absolute(),
        settings.control.absolute(),
        endpoints,
        policy,
        after_s,
        budget_scale,
    )


class _Inherited(msgspec.Struct):
    """What goes through the pipe."""

    job: Job
    key: str
    secret: str
    label: str

    def __repr__(self) -> str:
        return f"_Inherited({self.label})"


@dataclass(frozen=True, slots=True)
class Guard:
    """A watchdog that was started."""

    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """Of its process."""
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether it is still there."""
        return self.process.poll() is None


def start_watchdog(job: Job, keys: tuple[Secret, Secret, str]) -> Guard:
    """Start one and return at once; that it works is told by its heartbeat. One that watches the
    same data directory already hands over to it. *keys*: as of `config.keys_of`.

    *Raises*: `EnvironmentFault` when no process can be started, `ParameterInvalid`.
    """
    job.check()
    key, secret, label = keys
    inherited = _Inherited(job, key.reveal(), secret.reveal(), label)
    content = msgspec.json.encode(inherited, enc_hook=str)  # the hook is for paths
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "hean", "watchdog", INHERITED],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if name not in VARIABLES},
            start_new_session=True,
        )
    except OSError as error:
        raise EnvironmentFault(f"the watchdog cannot be started: {error}.") from error
    assert process.stdin is not None
    try:
        process.stdin.write(content)
        process.stdin.close()
    except OSError as error:
        raise EnvironmentFault(f"the watchdog ended at once: {error}.") from error
    return Guard(process)


class Watching:
    """Starts a watchdog whenever one is due. *keys*: as of `config.keys_of`."""

    def __init__(self, job: Job, keys: tuple[Secret, Secret, str]) -> None:
        self._job = job
        self._keys = keys

    def start(self) -> Guard:
        """As of `start_watchdog`."""
        return start_watchdog(self._job, self._keys)

    def rekey(self, keys: tuple[Secret, Secret, str]) -> Guard:
        """Another key counts: the watchdog that has it takes over from the one that has not."""
        self._keys = keys
        return self.start()


def inherited_job(content: bytes) -> tuple[Job, Signer]:
    """What `start_watchdog` sent. *Raises*: `ParameterInvalid`, which repeats nothing of it."""
    try:
        found = msgspec.json.decode(
            content, type=_Inherited, dec_hook=lambda kind, value: kind(value)
        )
    except msgspec.MsgspecError:
        raise ParameterInvalid(
            f"{INHERITED} is for hean live, which hands over the job; leave it out and give "
            "options or a configuration file."
        ) from None
    return found.job, Signer(Secret(found.key), Secret(found.secret), found.label)
