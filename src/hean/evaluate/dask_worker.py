# SPDX-License-Identifier: Apache-2.0
"""`dask_worker.py`: what runs in a worker of Dask: texts of genomes in, scores out. A worker opens
an arena once, on files that all workers of its machine map; an answer says which versions gave it
and what they make of three known genomes, so that a machine that judges otherwise is found.
"""

from __future__ import annotations

import hashlib
import shutil
import signal
import socket
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hean import __version__
from hean.errors import EnvironmentFault
from hean.evaluate import ground_files
from hean.evaluate.evolving import Arena
from hean.genome.text import read
from hean.symbiont.breed import INIT, born, chance
from hean.symbiont.select import Score

OPEN_MAX = 2  # arenas that a worker has open
FOLDER = "hean-arenas"
PROBES = 3

_open: OrderedDict[str, tuple[Arena, str]] = OrderedDict()
_lock = threading.Lock()


class Ref(msgspec.Struct, frozen=True):
    """An arena by its name. *folder*: where it is; `None` if it is sent to each machine."""

    name: str
    folder: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """*versions*: of what judged. *place*: machine and folder; *echo*: of known genomes.
    *scores*: `None` where the arena is not there yet.
    """

    versions: dict[str, str]
    address: str
    place: str
    echo: str = ""
    scores: list[Score] | None = None


def dask_setup(_: Any) -> None:
    """Called by Dask in a worker that we start: Ctrl-C is for the process that started it, which
    ends its workers.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def versions() -> dict[str, str]:
    """Of what a score is computed with."""
    return {"hean": __version__, "numpy": np.__version__}


def echo_of(arena: Arena) -> str:
    """What this machine makes of some genomes, to the last bit, as a digest."""
    facts, symbols = arena.material.facts, arena.ground.symbols
    probes = [born(chance(0, INIT, 0, at), symbols, facts.features) for at in range(PROBES)]
    return hashlib.sha256(msgspec.msgpack.encode(arena.scores(probes))).hexdigest()


def judged(ref: Ref, texts: Sequence[str]) -> Answer:
    """The scores of genomes, in order. *Raises*: `DataInvalid`, `EnvironmentFault`."""
    from distributed import get_worker  # an extra; whoever runs this has it

    worker = get_worker()
    folder = _sent_to(worker) if ref.folder is None else Path(ref.folder)
    address = str(worker.address)
    place = f"{socket.gethostname()}:{folder}"
    try:
        arena, echo = _opened(folder, ref.name)
    except FileNotFoundError:
        if ref.folder is not None:
            raise EnvironmentFault(f"{folder}/{ref.name}: gone while it was used.") from None
        return Answer(versions(), address, place)
    names = arena.material.facts.features
    scores = arena.scores([read(text, names) for text in texts])
    return Answer(versions(), address, place, echo, scores)


def take(files: Mapping[str, bytes], dask_worker: Any = None) -> str:
    """Keep an arena for the workers of this machine. *dask_worker*: given by Dask.
    *Returns*: its name. *Raises*: `EnvironmentFault`.
    """
    return ground_files.write(_sent_to(dask_worker), files)


def forget(name: str, dask_worker: Any = None) -> None:
    """Remove an arena that was sent; whoever has it open keeps it."""
    shutil.rmtree(_sent_to(dask_worker) / name, ignore_errors=True)


def _sent_to(worker: Any) -> Path:
    """Beside the worker's own scratch space, where the others of its machine see it."""
    return Path(worker.local_directory).parent / FOLDER


def _opened(folder: Path, name: str) -> tuple[Arena, str]:
    with _lock:
        if name not in _open:
            arena = ground_files.opened(folder, name)
            _open[name] = arena, echo_of(arena)
            while len(_open) > OPEN_MAX:
                _open.popitem(last=False)
        _open.move_to_end(name)
        return _open[name]
