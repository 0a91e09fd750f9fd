# SPDX-License-Identifier: Apache-2.0
"""`engines.py`: where genomes are judged while they are bred. Evolution asks an engine for the
judge of an arena and knows no more of it; every engine gives each genome the score that the arena
itself gives it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from hean.evaluate.evolving import Arena
from hean.symbiont.evolution import Judge


class Engine(Protocol):
    """Judges of an arena. What an engine starts for one ends with its context."""

    def __call__(self, arena: Arena) -> AbstractContextManager[Judge]:
        """The judge. *Raises*: `EnvironmentFault` for what the machine, or the cluster, lacks."""


@contextmanager
def local(arena: Arena) -> Iterator[Judge]:
    """This process, with the threads of the arena."""
    yield arena.scores
