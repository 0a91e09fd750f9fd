# SPDX-License-Identifier: Apache-2.0
"""`usdm_streams.py`: to be written."""

from __future__ import annotations

from hean.twin.binance.streams import Hub
from hean.twin.orders import Event
from hean.twin.venue import TwinVenue


class STREAMS:
    """Nothing yet."""

    def __init__(self, venue: TwinVenue, hub: Hub) -> None:
        self.venue, self.hub = venue, hub

    def on_event(self, event: Event) -> None:
        """Nothing yet."""

    def tick(self, now_ns: int) -> None:
        """Nothing yet."""

    def carries(self, route: str, stream: str) -> bool:
        """Nothing yet."""
        return False

    def started(self, stream: str) -> None:
        """Nothing yet."""

    def stopped(self, stream: str) -> None:
        """Nothing yet."""
