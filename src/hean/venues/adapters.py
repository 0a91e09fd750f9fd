# SPDX-License-Identifier: Apache-2.0
"""`adapters.py`: the venues one can trade at: a gateway with the codec of each. Nothing else is in
here; what a venue does differently is in its codec, what all do alike in the gateway.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hean.errors import ParameterInvalid
from hean.net.budget import Budget
from hean.venues.binance_spot import BinanceSpotCodec, spot_budget
from hean.venues.binance_usdm import BinanceUsdmCodec, usdm_budget
from hean.venues.bybit import BybitCodec, bybit_budget
from hean.venues.bybit_both import BybitBothCodec
from hean.venues.codec import Codec
from hean.venues.endpoints import BOTH, Endpoints
from hean.venues.gateway import Gateway, GatewaySettings
from hean.venues.signing import Signer


class BybitVenue(Gateway):
    """Bybit V5, spot or linear by its endpoints. *parts*: as of `Gateway`."""

    def __init__(
        self, endpoints: Endpoints, signer: Signer, settings: GatewaySettings, **parts: Any
    ) -> None:
        super().__init__(BybitCodec(endpoints, signer), settings, **parts)


class BybitBothVenue(Gateway):
    """Bybit V5, spot and linear of one account. *parts*: as of `Gateway`."""

    def __init__(
        self, endpoints: Endpoints, signer: Signer, settings: GatewaySettings, **parts: Any
    ) -> None:
        super().__init__(BybitBothCodec(endpoints, signer), settings, **parts)


class BinanceSpotVenue(Gateway):
    """Binance spot. *parts*: as of `Gateway`."""

    def __init__(
        self, endpoints: Endpoints, signer: Signer, settings: GatewaySettings, **parts: Any
    ) -> None:
        super().__init__(BinanceSpotCodec(endpoints, signer), settings, **parts)


class BinanceUsdmVenue(Gateway):
    """Binance USD-M futures. *parts*: as of `Gateway`."""

    def __init__(
        self, endpoints: Endpoints, signer: Signer, settings: GatewaySettings, **parts: Any
    ) -> None:
        super().__init__(BinanceUsdmCodec(endpoints, signer), settings, **parts)


Adapter = type[BybitVenue] | type[BybitBothVenue] | type[BinanceSpotVenue] | type[BinanceUsdmVenue]

_ADAPTERS: dict[tuple[str, str], Adapter] = {
    ("bybit", "spot"): BybitVenue,
    ("bybit", "linear"): BybitVenue,
    ("bybit", BOTH): BybitBothVenue,
    ("binance", "spot"): BinanceSpotVenue,
    ("binance", "linear"): BinanceUsdmVenue,
}
_CODECS: dict[Adapter, Callable[[Endpoints, Signer], Codec]] = {
    BybitVenue: BybitCodec,
    BybitBothVenue: BybitBothCodec,
    BinanceSpotVenue: BinanceSpotCodec,
    BinanceUsdmVenue: BinanceUsdmCodec,
}
_BUDGETS = {
    BybitVenue: bybit_budget,
    BybitBothVenue: bybit_budget,
    BinanceSpotVenue: spot_budget,
    BinanceUsdmVenue: usdm_budget,
}


def adapter_for(endpoints: Endpoints) -> Adapter:
    """The class that trades there. *Raises*: `ParameterInvalid` naming the known ones."""
    found = _ADAPTERS.get((endpoints.venue, endpoints.market))
    if found is None:
        known = ", ".join(f"{venue} {market}" for venue, market in _ADAPTERS)
        raise ParameterInvalid(f"{endpoints.venue} {endpoints.market} is none of {known}.")
    return found


def codec_for(endpoints: Endpoints, signer: Signer) -> Codec:
    """Its words, for whoever does without a gateway. *Raises*: as `adapter_for`."""
    return _CODECS[adapter_for(endpoints)](endpoints, signer)


def budget_for(endpoints: Endpoints, *, scale: int = 1) -> Budget:
    """The budget to share between everybody who uses this venue with one account and address.

    *scale*: for a venue that allows so many times the documented figures.
    """
    return _BUDGETS[adapter_for(endpoints)](scale)
