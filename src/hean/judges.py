# SPDX-License-Identifier: Apache-2.0
"""`judges.py`: who else judges the market and the account, beside the strategy: a volatility
forecast, a changepoint detector and its breaker, a regime model, the loss states. Nobody does
unless they are chosen, here, in one record that the journal keeps, so that a replay has the same
composition. Why these defaults: docs/adr/0020.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from hean.core.module import Module
from hean.models.changepoint import ChangepointDetector, ChangepointSettings
from hean.models.ewma import EwmaVolatility
from hean.models.garch import GarchSettings, GarchVolatility
from hean.models.kalman import HedgeSettings, KalmanPairs
from hean.models.regime import NAMES, RegimeModel, RegimeSettings
from hean.risk.changepoint_breaker import ChangeLimits
from hean.risk.drawdown import LossLimits
from hean.risk.memory import MemorySettings


class Volatility(StrEnum):
    """Who forecasts volatility."""

    EWMA = "ewma"
    GARCH = "garch"


class Judges(msgspec.Struct, frozen=True):
    """Settings of each that is chosen; `None` is not.

    *garch*: forecasts in place of the exponential average, and also where nobody needs a forecast
    but a strategy. *breaker*: of the detector's alarms, so it needs *changepoint*. *kalman*: the
    hedge ratio of a pair, whose spread the detector watches too.
    """

    garch: GarchSettings | None = None
    changepoint: ChangepointSettings | None = None
    breaker: ChangeLimits | None = None
    regime: RegimeSettings | None = None
    losses: LossLimits | None = None
    kalman: HedgeSettings | None = None

    def names(self) -> tuple[str, ...]:
        """Of those that are chosen."""
        return tuple(name for name in self.__struct_fields__ if getattr(self, name) is not None)

    def contexts(self, memory: MemorySettings | None) -> MemorySettings | None:
        """Settings of the memory: unless it names regimes itself, it knows those of the model."""
        if memory is None or self.regime is None or memory.regimes:
            return memory
        return msgspec.structs.replace(memory, regimes=NAMES[self.regime.states])

    def models(self, *, is_forecast: bool) -> list[Module]:
        """Those that listen to the market. *is_forecast*: whether somebody needs one of
        volatility.
        """
        found: list[Module] = []
        if self.garch is not None:
            found.append(GarchVolatility(self.garch))
        elif is_forecast:
            found.append(EwmaVolatility())
        if self.kalman is not None:
            found.append(KalmanPairs([self.kalman.hedge_pair()]))
        if self.changepoint is not None or self.breaker is not None:
            found.append(ChangepointDetector(self.changepoint))
        if self.regime is not None:
            found.append(RegimeModel(self.regime))
        return found
