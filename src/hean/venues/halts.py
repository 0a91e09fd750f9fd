# SPDX-License-Identifier: Apache-2.0
"""`halts.py`: why a gateway opens nothing new at the moment. Each reason has a scope, the whole
account or one symbol, and a name under which it is lifted again. Every change is told as a HEALTH
fact with all reasons in words, because only the newest such fact survives. Cancels and reductions
are never the concern of this file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hean.core.types import Health, Payload

ACCOUNT = ""  # the scope of everything; symbols are never empty


class Halts:
    """The reasons in force. *component*: whose health this is; *details*: added to each fact;
    *first*: name and sentence of the reason in force before anything was told.
    """

    def __init__(
        self,
        component: str,
        emit: Callable[[Payload], None],
        details: Callable[[], dict[str, Any]],
        *,
        first: tuple[str, str],
    ) -> None:
        self._component = component
        self._emit = emit
        self._details = details
        name, sentence = first
        self._reasons: dict[tuple[str, str], str] = {(ACCOUNT, name): sentence}
        self._scopes: frozenset[str] = frozenset((ACCOUNT,))
        self._count = 0

    def add(self, name: str, sentence: str, scope: str = ACCOUNT) -> None:
        """Open nothing new in this scope; told again only when the sentence is another."""
        if self._reasons.get((scope, name)) != sentence:
            self._reasons[scope, name] = sentence
            self._tell()

    def lift(self, name: str, scope: str = ACCOUNT) -> None:
        """This reason is gone."""
        if self._reasons.pop((scope, name), None) is not None:
            self._tell()

    def why(self, symbol: str) -> str:
        """Why nothing new may be opened in this symbol; empty if it may."""
        if not self._scopes or not {ACCOUNT, symbol} & self._scopes:
            return ""
        found = [text for (scope, _), text in self._reasons.items() if scope in (ACCOUNT, symbol)]
        return "; ".join(found)

    def has(self, name: str, scope: str = ACCOUNT) -> bool:
        """Whether this reason is in force."""
        return (scope, name) in self._reasons

    def sentence(self, name: str, scope: str = ACCOUNT) -> str:
        """The words of this reason; empty when it is not in force."""
        return self._reasons.get((scope, name), "")

    def _tell(self) -> None:
        self._scopes = frozenset(scope for scope, _ in self._reasons)
        self._count += 1
        reasons = {f"{scope} {name}".strip(): text for (scope, name), text in self._reasons.items()}
        state = "HALT_NEW" if reasons else "READY"
        extra = {"reasons": reasons, **self._details()}
        self._emit(Health(self._component, state, self._count, extra))
