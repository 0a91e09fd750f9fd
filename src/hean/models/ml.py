# SPDX-License-Identifier: Apache-2.0
"""`ml.py`: a trained model on the bus. `FEATURES_READY` in, `ML_PREDICTION` out, or nothing: too
late, expired, of another version or distrusted means no opinion, never the previous one. What the
predictions were worth is followed bar by bar; a market that left the training's range, or losses
beyond those of the test, move the model into the shadow, where it goes on counting but says nothing
until a person starts it again.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from hean.core.module import Module, on
from hean.core.timeframe import timeframe_ns
from hean.core.types import Candle, Event, EventType, FeaturesReady, Health, MlPrediction
from hean.errors import ParameterInvalid
from hean.indicators import EwmaVariance
from hean.models.artefact import LearnedModel
from hean.quant.drift import Bins, LossCusum, log_loss, psi
from hean.quant.labels import BarrierWatch

DEADLINE_MS = 100  # of the integration guide
SIGNAL_SHARE = 0.25  # of the target's horizon, after which the answer is to another question
CACHE_ROWS = 1024
ACTIVE, SHADOW, EXPIRED = "ACTIVE", "SHADOW", "EXPIRED"


class Counts(msgspec.Struct):
    """What became of the features that came. *refused*: of another version or without one;
    *late*: beyond the deadline; *silent*: predicted in the shadow or after expiry and not told.
    """

    predicted: int = 0
    cached: int = 0
    refused: int = 0
    late: int = 0
    silent: int = 0


class MlModel(Module):
    """One model for one symbol. *deadline_ms*: longest age of the fact that the features were
    computed on; a quarter of the target's horizon if that is shorter.

    Emits `HEALTH` of `ml:<name>` when its state changes, with the reason.
    """

    name = "ml"
    produces = (EventType.ML_PREDICTION, EventType.HEALTH)

    def __init__(self, model: LearnedModel, *, deadline_ms: float = DEADLINE_MS) -> None:
        if not 0 < deadline_ms <= 60_000:
            raise ParameterInvalid(f"deadline_ms {deadline_ms}; allowed: above 0 to 60000.")
        manifest = model.manifest
        self.model = model
        self.counts = Counts()
        self.state = ACTIVE
        horizon_ns = manifest.target.horizon * timeframe_ns(manifest.timeframe)
        self.deadline_ns = min(int(deadline_ms * 1e6), int(SIGNAL_SHARE * horizon_ns))
        self._names = tuple(spec.name for spec in manifest.features)
        self._cache: dict[tuple[float, ...], tuple[float, float]] = {}
        self._monitor = DriftMonitor(model)
        self._refused_fingerprint = ""

    @on(EventType.FEATURES_READY)
    def on_features(self, event: Event) -> None:
        """Answer, if the answer can be trusted and comes in time."""
        ready: FeaturesReady = event.data
        manifest = self.model.manifest
        if ready.symbol != manifest.symbol:
            return
        if ready.fingerprint != manifest.fingerprint:
            self._refuse(ready.fingerprint)
            return
        if event.ts_ns - ready.timestamp > self.deadline_ns:
            self.counts.late += 1
            return
        self._look_at_clock(event.ts_ns)
        if self.state == EXPIRED:
            self.counts.silent += 1
            return
        row = tuple(ready.features[name] for name in self._names)
        raw, probability = self._answer(row)
        if reason := self._monitor.predicted(row, probability):
            self._distrust(reason)
        if self.state != ACTIVE:
            self.counts.silent += 1
            return
        self.counts.predicted += 1
        extra = {"model": manifest.name, "raw": raw, "side": manifest.target.side}
        confidence = abs(2.0 * probability - 1.0)
        self.context.emit(MlPrediction(probability, ready.symbol, confidence, extra))

    @on(EventType.CANDLE)
    def on_candle(self, event: Event) -> None:
        """See which predictions came true."""
        candle: Candle = event.data
        manifest = self.model.manifest
        if (candle.symbol, candle.timeframe) != (manifest.symbol, manifest.timeframe):
            return
        if reason := self._monitor.closed(candle):
            self._distrust(reason)

    def health(self) -> dict[str, Any]:
        """State and counts, for people."""
        return {"state": self.state, **msgspec.to_builtins(self.counts)}

    def _answer(self, row: tuple[float, ...]) -> tuple[float, float]:
        found = self._cache.get(row)
        if found is not None:
            self.counts.cached += 1
            return found
        raw = self.model.raw(row)
        answer = raw, self.model.manifest.calibration.probability(raw)
        if len(self._cache) >= CACHE_ROWS:
            del self._cache[next(iter(self._cache))]
        self._cache[row] = answer
        return answer

    def _look_at_clock(self, now_ns: int) -> None:
        is_valid = self.model.manifest.valid_from <= now_ns < self.model.manifest.expires
        if self.state == ACTIVE and not is_valid:
            self._enter(EXPIRED, "outside the time the model is valid for")
        elif self.state == EXPIRED and is_valid:
            self._enter(ACTIVE, "inside the time the model is valid for")

    def _refuse(self, fingerprint: str) -> None:
        self.counts.refused += 1
        if fingerprint == self._refused_fingerprint and self.counts.refused > 1:
            return  # said once, counted always
        self._refused_fingerprint = fingerprint
        due = self.model.manifest.fingerprint
        reason = f"features of version {fingerprint or 'unknown'}; trained on {due}"
        self._tell(self.state, reason)

    def _distrust(self, reason: str) -> None:
        if self.state != SHADOW:
            self._enter(SHADOW, reason)

    def _enter(self, state: str, reason: str) -> None:
        self.state = state
        self._tell(state, reason)

    def _tell(self, state: str, reason: str) -> None:
        extra = {"reason": reason, **msgspec.to_builtins(self.counts)}
        component = f"ml:{self.model.manifest.name}"
        self.context.emit(Health(component, state, self.counts.predicted, extra))


class DriftMonitor:
    """Compares what a model meets with what it was trained on. Times of day say nothing about a
    market and are left out; of decisions whose outcomes overlap only the first counts, because
    their losses are one loss told several times.
    """

    def __init__(self, model: LearnedModel) -> None:
        manifest = model.manifest
        drift = manifest.drift
        self._drift = drift
        self._specs = manifest.features
        self._bins = [Bins(edges) for edges in drift.edges]
        self._watched = [at for at, spec in enumerate(self._specs) if spec.inputs != "time"]
        self._rows = 0
        self._cusum = LossCusum(drift.loss_mean, drift.loss_deviation)
        self._variance = EwmaVariance(manifest.sigma_decay)
        self._close = math.nan
        self._outcomes = BarrierWatch(manifest.target)

    def predicted(self, row: tuple[float, ...], probability: float) -> str:
        """Take a prediction at the present bar's close. *Returns*: why to distrust, or nothing."""
        variance = self._variance.value
        if not len(self._outcomes) and variance > 0:
            self._outcomes.decide(probability, math.sqrt(variance))
        for at in self._watched:
            self._bins[at].add(row[at])
        self._rows += 1
        return self._judge_block() if self._rows >= self._drift.rows else ""

    def closed(self, candle: Candle) -> str:
        """Take a bar. *Returns*: why to distrust, or nothing."""
        reason = ""
        ended = self._outcomes.update(candle.open, candle.high, candle.low, candle.close)
        for probability, net in ended:
            if self._cusum.update(log_loss(probability, int(net > 0))):
                reason = f"log loss: CUSUM {self._cusum.value:.1f}, worse than out of sample"
                self._cusum.value = 0.0
        if not math.isnan(self._close):
            self._variance.update(math.log(candle.close / self._close))
        self._close = candle.close
        return reason

    def _judge_block(self) -> str:
        reasons = []
        for at in self._watched:
            index = psi(self._drift.shares[at], self._bins[at].counts)
            if index > self._drift.psi_max[at]:
                limit = self._drift.psi_max[at]
                reasons.append(f"{self._specs[at].name} PSI {index:.2f} above {limit:.2f}")
            self._bins[at].clear()
        self._rows = 0
        return "; ".join(reasons)
