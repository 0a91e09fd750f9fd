# SPDX-License-Identifier: Apache-2.0
"""A gateway of each venue whose order socket ends in a list: what would leave can be looked at."""

from __future__ import annotations

import random

from hean.core.types import OrderRejected, Payload
from hean.net.budget import Budget
from hean.net.http import HttpClient
from hean.net.socket import ConnectGovernor
from hean.venues.adapters import adapter_for, budget_for
from hean.venues.dispatch import Sending
from hean.venues.endpoints import endpoints_for
from hean.venues.gateway import Gateway, GatewaySettings
from hean.venues.private import NAME as STREAM
from scripted_venue import SIGNER

NOW_NS = 1_700_000_000_000_000_000
MARKETS = [("bybit", "linear"), ("bybit", "spot"), ("binance", "spot"), ("binance", "linear")]


class Wire:
    """The other end of an order socket: keeps what was sent."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def send(self, frame: bytes) -> None:
        self.frames.append(frame)

    def restart(self, reason: str) -> None:
        raise AssertionError(reason)


class Built:
    """A gateway whose account is in step and whose order socket is open."""

    def __init__(
        self, venue: str, market: str, *, is_ready: bool = True, sending: Sending | None = None
    ) -> None:
        self.facts: list[Payload] = []
        endpoints = endpoints_for(venue, market, testnet=True, environment={})
        self.budget: Budget = budget_for(endpoints)
        self.wire = Wire()
        self.gateway: Gateway = adapter_for(endpoints)(
            endpoints,
            SIGNER,
            GatewaySettings(symbols=("BTCUSDT",)),
            emit=self.facts.append,
            client=HttpClient("http://127.0.0.1:9", now=lambda: NOW_NS),
            budget=self.budget,
            now=lambda: NOW_NS,
            rng=random.Random(1),
            governor=ConnectGovernor(),
            sending=sending,
        )
        if is_ready:
            self.gateway.halts.lift(STREAM)
            self.gateway.dispatch.opened(self.wire)
            if venue == "bybit":
                self.gateway.dispatch.frame(b'{"retCode":0,"retMsg":"OK","op":"auth","connId":"c"}')
            self.wire.frames.clear()

    def refusal(self) -> OrderRejected:
        return next(fact for fact in self.facts if isinstance(fact, OrderRejected))
