# SPDX-License-Identifier: Apache-2.0
"""`usdm_user.py`: to be written."""

from __future__ import annotations

from typing import Any

from hean.twin.orders import Event
from hean.twin.wire import Session


class USERS:
    """Nothing yet."""

    def __init__(self, dialect: Any) -> None:
        self.dialect = dialect

    def on_event(self, event: Event) -> None:
        """Nothing yet."""

    def tick(self, now_ns: int) -> None:
        """Nothing yet."""

    def opened(self, session: Session, listen_keys: list[str]) -> bool:
        """Nothing yet."""
        return False

    def closed(self, session: Session) -> None:
        """Nothing yet."""

    def listens(self, session: Session, stream: str) -> bool:
        """Nothing yet."""
        return False

    def unlistens(self, session: Session, stream: str) -> None:
        """Nothing yet."""
