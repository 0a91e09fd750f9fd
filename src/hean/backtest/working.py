# SPDX-License-Identifier: Apache-2.0
"""`working.py`: processes in a run, beside a strategy or alone. Each has a name, symbols of its own
and parameters; the factory that runs them has settings too (docs/adr/0019).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hean.core.parameters import Value

if TYPE_CHECKING:
    from hean.processes.factory import ProcessFactory


class Post(msgspec.Struct, frozen=True):
    """One process: its *name*, what it trades, and its parameters by name."""

    name: str
    symbols: tuple[str, ...]
    given: dict[str, Value] = {}


class Working(msgspec.Struct, frozen=True):
    """*posts*: of all processes; *factory*: settings of the factory by name."""

    posts: tuple[Post, ...] = ()
    factory: dict[str, Value] = {}

    @property
    def symbols(self) -> frozenset[str]:
        """What processes trade."""
        return frozenset(symbol for post in self.posts for symbol in post.symbols)

    def built(self) -> ProcessFactory:
        """The factory with its processes. *Raises*: `ParameterInvalid` for what they refuse."""
        # reason: only who runs processes pays for loading them
        from hean.processes import PROCESSES, load_process
        from hean.processes.factory import ProcessFactory

        processes = [load_process(post.name)(post.symbols, post.given) for post in self.posts]
        return ProcessFactory(processes, self.factory, kinds=PROCESSES.values())
