# SPDX-License-Identifier: Apache-2.0
"""`permissions.py`: the one table of who may do what over HTTP. A route that is not in it makes the
app refuse to start, so nobody can forget to protect one; a row whose route does not exist yet
harms nobody. The table is looked at before the framework is, and by path alone, so that it cannot
be got round by a parameter or a body.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from hean.errors import TopologyInvalid

SOCKET = "WEBSOCKET"
"""Stands for a method in the row of a WebSocket."""

PARAMETER = re.compile(r"\{\w+\}")


class Role(IntEnum):
    """Who somebody is; each may what those before it may."""

    VIEWER = 1
    OPERATOR = 2
    TRADER = 3
    RISK = 4
    ADMIN = 5

    @property
    def word(self) -> str:
        """As it is written: `viewer`."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Role | None:
        """The role of a word; `None` if there is none."""
        return _ROLES.get(word)


_ROLES = {role.word: role for role in Role}


class Limit(StrEnum):
    """How often something may be asked."""

    AUTH = "auth"
    ORDER = "order"
    READ = "read"
    JOB = "job"
    KILL = "kill"
    """The kill switch: never limited, never refused because others ask too much."""


@dataclass(frozen=True, slots=True)
class Row:
    """One route. *role*: the least that may use it; `None` is open to all."""

    method: str
    path: str
    role: Role | None
    limit: Limit = Limit.READ
    needs_idempotency_key: bool = False

    @property
    def is_mutating(self) -> bool:
        """Whether it may change something."""
        return self.method not in ("GET", SOCKET)


_VIEWER, _OPERATOR, _TRADER, _RISK = Role.VIEWER, Role.OPERATOR, Role.TRADER, Role.RISK

ROWS = (
    Row("GET", "/health/live", None),
    Row("GET", "/health", _VIEWER),
    Row("GET", "/health/ready", _VIEWER),
    Row("GET", "/health/{component}", _VIEWER),
    Row("POST", "/pair", None, Limit.AUTH),
    Row("POST", "/ws-ticket", _VIEWER),
    Row("GET", "/whoami", _VIEWER),
    Row(SOCKET, "/ws", None),  # its first frame says who it is, and each topic has its role
    Row("POST", "/engine/start", _OPERATOR, Limit.ORDER),
    Row("POST", "/engine/stop", _OPERATOR, Limit.ORDER),
    Row("GET", "/engine/status", _VIEWER),
    Row("GET", "/portfolio/summary", _VIEWER),
    Row("GET", "/portfolio/history", _VIEWER),
    Row("GET", "/positions", _VIEWER),
    Row("GET", "/fills", _VIEWER),
    Row("GET", "/orders", _VIEWER),
    Row("GET", "/orders/{client_order_id}", _VIEWER),
    Row("GET", "/orders/{client_order_id}/why", _VIEWER),
    Row("POST", "/orders", _TRADER, Limit.ORDER, needs_idempotency_key=True),
    Row("POST", "/orders/preview", _TRADER),  # asks, and changes nothing
    Row("DELETE", "/orders/{client_order_id}", _TRADER, Limit.ORDER),
    Row("POST", "/orders/cancel-all", _OPERATOR, Limit.ORDER),  # it only takes risk away
    Row("GET", "/market", _VIEWER),
    Row("GET", "/market/{symbol}/book", _VIEWER),
    Row("GET", "/market/{symbol}/trades", _VIEWER),
    Row("GET", "/market/{symbol}/bars", _VIEWER),
    Row("GET", "/market/{symbol}/indicators", _VIEWER),
    Row("GET", "/strategies", _VIEWER),
    Row("GET", "/strategies/declared", _VIEWER),
    Row("GET", "/population", _VIEWER),
    Row("POST", "/population/{agent_id}/promote", _RISK, Limit.ORDER),  # it may lead to money
    Row("POST", "/population/{agent_id}/retire", _OPERATOR, Limit.ORDER),
    Row("GET", "/data", _VIEWER),
    Row("POST", "/strategies/{strategy_id}/enable", _OPERATOR, Limit.ORDER),
    Row("POST", "/strategies/{strategy_id}/disable", _OPERATOR, Limit.ORDER),
    Row("GET", "/risk", _VIEWER),
    Row("PATCH", "/risk/limits", _TRADER, Limit.ORDER),  # lowering; raising asks for risk itself
    Row("GET", "/killswitch", _VIEWER, Limit.KILL),
    Row("POST", "/killswitch/trigger", _OPERATOR, Limit.KILL),
    Row("POST", "/killswitch/release", _RISK, Limit.ORDER),
    Row("GET", "/live", _VIEWER),
    Row("POST", "/live/confirm", _RISK, Limit.ORDER),
    Row("GET", "/reconcile", _VIEWER),
    Row("POST", "/reconcile/resolve", _RISK, Limit.ORDER),
    Row("POST", "/backtest", _OPERATOR, Limit.JOB),
    Row("POST", "/evaluate", _OPERATOR, Limit.JOB),
    Row("POST", "/evolve", _OPERATOR, Limit.JOB),
    Row("POST", "/smoke-test/run", _TRADER, Limit.JOB),  # it trades
    Row("GET", "/jobs", _VIEWER),
    Row("GET", "/jobs/{job_id}", _VIEWER),
    Row("GET", "/jobs/{job_id}/report", _VIEWER),
    Row("DELETE", "/jobs/{job_id}", _OPERATOR, Limit.ORDER),
    Row("GET", "/alerts", _OPERATOR),  # as logs
    Row("GET", "/settings", _VIEWER),
    Row("GET", "/metrics", _VIEWER),
    Row("GET", "/state/digest", _VIEWER),
    Row("GET", "/logs", _OPERATOR),  # may name what a viewer need not know
    Row("GET", "/events", _VIEWER),
    Row("GET", "/openapi.json", _VIEWER),
    Row("GET", "/docs", _VIEWER),
)


class Permissions:
    """The table, ready to be asked. Fixed paths come before those with parameters."""

    def __init__(self, rows: Iterable[Row] = ROWS) -> None:
        self.rows = tuple(rows)
        self._fixed: dict[tuple[str, str], Row] = {}
        self._patterns: list[tuple[re.Pattern[str], Row]] = []
        for row in self.rows:
            if "{" in row.path:
                self._patterns.append((_pattern(row.path), row))
            else:
                self._fixed[row.method, row.path] = row

    def find(self, method: str, path: str) -> Row | None:
        """The row of a request; `None` if no route can answer it."""
        if (row := self._fixed.get((method, path))) is not None:
            return row
        for pattern, row in self._patterns:
            if row.method == method and pattern.fullmatch(path):
                return row
        return None

    def methods(self, path: str) -> list[str]:
        """What may be done with a path; empty if nothing has it."""
        found = {method for method, fixed in self._fixed if fixed == path}
        found |= {row.method for pattern, row in self._patterns if pattern.fullmatch(path)}
        return sorted(found - {SOCKET})

    def check(self, routes: Iterable[tuple[str, str]]) -> None:
        """Refuse routes, as method and path in the order in which they are matched, that have no
        row or that an earlier one hides. *Raises*: `TopologyInvalid` naming all of them.
        """
        seen: list[tuple[str, str]] = []
        wrong = []
        for method, path in routes:
            example = PARAMETER.sub("x", path)
            row = self.find(method, example)
            if row is None or PARAMETER.sub("{}", row.path) != PARAMETER.sub("{}", path):
                wrong.append(f"{method} {path} has no row")
            for other, earlier in seen:
                if other == method and _pattern(earlier).fullmatch(example):
                    wrong.append(f"{method} {path} is hidden by {earlier}, mounted before it")
            seen.append((method, path))
        if wrong:
            raise TopologyInvalid(f"api/permissions.py: {'; '.join(wrong)}.")


def _pattern(path: str) -> re.Pattern[str]:
    """A path as the framework understands it: a parameter is anything without a slash."""
    return re.compile(
        "".join("[^/]+" if PARAMETER.fullmatch(part) else re.escape(part)
                for part in re.split(r"(\{\w+\})", path))
    )  # fmt: skip
