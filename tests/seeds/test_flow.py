# SPDX-License-Identifier: Apache-2.0
"""The flow of the integration guide from tick to profit, and how facts travel between processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hean.backtest.run import BacktestSettings
from hean.core.message import pack, unpack
from hean.core.module import on
from hean.core.types import (
    Changepoint,
    Event,
    EventType,
    HedgeRatio,
    Payload,
    Side,
    VolForecast,
)
from hean.ml.folder import write_model
from hean.paper import PaperSession
from hean.strategies.base import Strategy
from hean.topology import PARTS, Link, Process, Table
from learned import TEXT, learned_model
from sessions import S_NS, START_NS, TERMS, frames

E = EventType
FLOW = (
    E.TICK, E.FEATURES_READY, E.ML_PREDICTION, E.SIGNAL, E.ORDER_REQUEST, E.ORDER_APPROVED,
    E.ORDER_FILLED, E.PNL_UPDATE,
)  # fmt: skip


class Believer(Strategy):
    """Buys once, on the first word of the model."""

    name = "believer"

    @on(EventType.ML_PREDICTION)
    def on_prediction(self, event: Event) -> None:
        """Buy."""
        symbol = event.data.symbol
        if not self.is_waiting(symbol) and not self.position[symbol]:
            self.enter(symbol, Side.BUY)


@pytest.mark.promise(51)
def test_a_tick_becomes_features_a_prediction_a_signal_an_order_and_profit(tmp_path: Path) -> None:
    trained = learned_model(timeframe="1s", valid_from=START_NS)
    write_model(tmp_path / "model", trained.manifest, {"model.txt": TEXT.encode()})
    settings = BacktestSettings("", ("BTCUSDT",), bar="1s", model=str(tmp_path / "model"))
    session = PaperSession(
        settings, TERMS, start_ns=START_NS, origin="a test", strategy=Believer(("BTCUSDT",))
    )
    first: dict[EventType, int] = {}
    session.run.bus.tap(lambda event: first.setdefault(event.event_type, event.seq))
    for at_ns, facts in frames(20):
        session.take(at_ns, facts)
    session.play(START_NS + 20 * S_NS)
    assert set(FLOW) <= set(first)
    order = sorted((kind for kind in FLOW if kind is not E.PNL_UPDATE), key=first.__getitem__)
    assert tuple(order) == FLOW[:-1]
    assert session.run.system.portfolio.ledger.position("BTCUSDT")[0] > 0


MODELLED: tuple[Payload, ...] = (
    HedgeRatio("ETHUSDT/BTCUSDT", 0.06, 1.5, 2.1),
    VolForecast("BTCUSDT", 0.002, 60.0),
    Changepoint("BTCUSDT", 0.9, 3, 0.1, "return"),
)


@pytest.mark.promise(52)
def test_what_models_say_has_names_of_its_own_and_passes_between_processes() -> None:
    data = pack("kalman", 1, 0, START_NS, MODELLED)  # what any transport carries, Kafka too
    assert unpack(data).payloads() == MODELLED
    produced = {kind for part in PARTS.values() for kind in part.produces}
    assert {each.event_type for each in MODELLED} <= produced
    processes = {
        "ingestion": Process(["feed", "candles"], 8000),
        "garch": Process(["garch"], 8002),
        "execution": Process(["strategies", "truth"], 8003),
    }
    table = Table("kafka", processes)
    assert list(table.problems()) == []
    assert Link("garch", "execution", ("VOL_FORECAST",)) in table.links()
