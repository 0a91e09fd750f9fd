# SPDX-License-Identifier: Apache-2.0
"""What is assumed of the exchange: text in, settings and words out."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hean.backtest.assumptions import (
    Assumptions,
    LatencyModel,
    parse_fees,
    parse_latency,
    parse_slippage,
)
from hean.errors import ParameterInvalid


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("50ms", LatencyModel("constant", (5e7,))),
        ("0ns", LatencyModel("constant", (0.0,))),
        ("constant:1.5us", LatencyModel("constant", (1_500.0,))),
        ("normal:50ms,10ms", LatencyModel("normal", (5e7, 1e7))),
        ("normal: 1s , 0ms", LatencyModel("normal", (1e9, 0.0))),
        ("recorded:40ms", LatencyModel("recorded", (4e7,))),
        ("recorded:40ms,55ms,1s", LatencyModel("recorded", (4e7, 5.5e7, 1e9))),
    ],
)
def test_a_latency_is_read(text: str, model: LatencyModel) -> None:
    assert parse_latency(text) == model


@pytest.mark.parametrize(
    "text",
    [
        "", "50", "ms", "-5ms", "50 ms", "5e1ms", "1m", "nanms", "infs", "50ms,10ms",
        "normal:50ms", "normal:50ms,10ms,1ms", "recorded:", "recorded:40ms,", "uniform:1ms",
        "constant:1ms,2ms", "NORMAL:1ms,1ms", ":50ms",
    ],
)  # fmt: skip
def test_a_latency_that_is_none_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ParameterInvalid, match="give"):
        parse_latency(text)


@pytest.mark.parametrize(
    ("text", "maker", "taker"),
    [
        ("maker=0.0002,taker=0.00055", "0.0002", "0.00055"),
        (" taker = 0.1 , maker = -0.0001 ", "-0.0001", "0.1"),
        ("maker=0,taker=1e-4", "0", "0.0001"),
    ],
)
def test_fees_are_read_exactly(text: str, maker: str, taker: str) -> None:
    assert parse_fees(text) == (Decimal(maker), Decimal(taker))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "give maker=0.0005,taker=0.0005"),
        ("maker=0.1", "taker missing"),
        ("maker=0.1,maker=0.2", "'maker=0.2'"),
        ("maker=0.1,takr=0.2", "'takr=0.2'"),
        ("maker=0.1,taker", "'taker'"),
        ("maker=,taker=0.1", "give a decimal number"),
        ("maker=0.1%,taker=0.1", "give a decimal number"),
        ("maker=nan,taker=0.1", "allowed: -10 to 10"),
        ("maker=Infinity,taker=0.1", "allowed: -10 to 10"),
        ("maker=10.01,taker=0.1", "allowed: -10 to 10"),
        ("maker=0.1,taker=0.1,", "''"),
    ],
)
def test_fees_that_are_none_are_refused_with_the_place(text: str, words: str) -> None:
    with pytest.raises(ParameterInvalid) as caught:
        parse_fees(text)
    assert words in str(caught.value)


def test_slippage_is_none_or_two_coefficients() -> None:
    assert parse_slippage("none") == (0.0, 0.0)
    assert parse_slippage("impact=0.5,half_spread=0.0001") == (0.0001, 0.5)


@pytest.mark.parametrize(
    "text",
    ["", "None", "0", "half_spread=0.1", "half_spread=-0.0001,impact=0.5",
     "half_spread=0.0001,impact=-1", "half_spread=x,impact=1"],
)  # fmt: skip
def test_slippage_that_is_none_or_flatters_is_refused(text: str) -> None:
    with pytest.raises(ParameterInvalid):
        parse_slippage(text)


def words(**changes: object) -> dict[str, str]:
    return Assumptions(**changes).words(  # type: ignore[arg-type]
        maker=Decimal("0.0002"), taker=Decimal("0.0005"), detail=str(changes.pop("detail", "bars"))
    )


def test_every_assumption_is_said_in_words_with_its_number() -> None:
    said = words(
        entry=LatencyModel("normal", (5e7, 1e7)), half_spread=0.0001, impact=0.7, participation=0.25
    )
    assert said["fee"] == "maker 0.0002, taker 0.0005 of value; liquidation 0.005"
    assert said["latency"] == "order to venue normal 50, 10 ms; answer constant 50 ms"
    assert "half spread 1 bp plus 0.7 x range" in said["slippage"]
    assert "at most 25% of a bar's volume" in said["fill_model"]
    assert said["margin"] == "cross margin, leverage 3"


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ("bars", "bars: price walks"),
        ("trades", "trades through"),
        ("ladder", "(pessimistic model)"),
    ],
)
def test_the_fill_model_is_that_of_the_recorded_detail(detail: str, expected: str) -> None:
    said = Assumptions(queue_model="pessimistic").words(
        maker=Decimal(0), taker=Decimal(0), detail=detail
    )
    assert expected in said["fill_model"]
    assert (said["slippage"] == "as the book shows") is (detail == "ladder")


def test_a_venue_that_cannot_be_is_refused() -> None:
    for wrong in (
        Assumptions(queue_model="hopeful"),
        Assumptions(entry=LatencyModel("uniform", (1.0,))),
        Assumptions(response=LatencyModel("recorded", ())),
    ):
        with pytest.raises(ValueError, match="expected"):
            wrong.venue(Decimal(1), seed=0)
