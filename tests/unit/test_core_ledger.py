# SPDX-License-Identifier: Apache-2.0
"""The ledger through its Python face: published worked examples, and a second accountant that
replays the same random trading in exact fractions (methods.md 16, T8)."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from hean._core import Instrument, Ledger, state_hash
from hean.errors import InsufficientMargin, NotADecimal, PriceNotOnTick, UnknownSymbol

UNIT = Fraction(1, 10**12)


def perpetual(symbol: str = "BTCUSDT", maintenance: str = "0.005") -> Instrument:
    tiers = [("1000000000", "0.0001", maintenance, "0")]
    return Instrument(symbol, "linear", "0.01", "0.001", tiers=tiers)


def spot(symbol: str = "ETHUSDT") -> Instrument:
    return Instrument(symbol, "spot", "0.01", "0.0001")


def exact(number: float) -> Decimal:
    return Decimal(str(number))


def reference(shared: Path, name: str) -> dict[str, Any]:
    text = (shared / "quant" / "reference" / f"{name}.json").read_text()
    case: dict[str, Any] = json.loads(text)
    return case


@pytest.mark.parametrize(("name", "side"), [("isolated_long", "BUY"), ("isolated_short", "SELL")])
def test_published_margins_and_liquidation_prices(shared: Path, name: str, side: str) -> None:
    case = reference(shared, "bybit_margin_funding")
    given, expected = case["inputs"][name], case["expected"][name]
    ledger = Ledger(
        "100000", [perpetual(maintenance=str(given["mmr"]))], leverage=given["leverage"]
    )
    ledger.fill("BTCUSDT", side, exact(given["entry"]), exact(given["qty"]), 0)
    initial, maintenance, bankruptcy = ledger.margin("BTCUSDT")
    found = {
        "im": initial,
        "mm": maintenance,
        "liq": ledger.position("BTCUSDT")[4],
        "bankruptcy": bankruptcy,
    }
    for key, value in expected.items():
        assert found[key] == pytest.approx(exact(value), abs=exact(case["tolerance"]["abs"]))


def test_published_funding_is_paid_by_the_long_and_received_by_the_short(shared: Path) -> None:
    case = reference(shared, "bybit_margin_funding")
    expected = exact(case["expected"]["funding_cash_long_1btc_mark_20000"])
    for side, sign in (("BUY", 1), ("SELL", -1)):
        ledger = Ledger("1000", [perpetual()])
        ledger.fill("BTCUSDT", side, "19000", "1", 0)
        assert ledger.funding("BTCUSDT", "0.0001", Decimal(20000)) == sign * expected
        assert ledger.cash == 1000 + sign * expected == ledger.equity
        assert ledger.funding_total == sign * expected
        ledger.check()


def test_published_average_entry_profit_and_closed_pnl(shared: Path) -> None:
    case = reference(shared, "perp_pnl_accounting")
    given, expected = case["inputs"], case["expected"]
    near = exact(case["tolerance"]["abs"])
    ledger = Ledger("10000", [perpetual()])
    for add in given["adds"]:
        ledger.fill("BTCUSDT", "BUY", exact(add["price"]), exact(add["qty"]), 0)
    assert ledger.position("BTCUSDT")[1] == expected["average_entry"]

    long = given["long"]
    ledger = Ledger("10000", [perpetual()], leverage=long["leverage"])
    ledger.fill("BTCUSDT", "BUY", exact(long["entry"]), exact(long["qty"]), 0)
    ledger.mark("BTCUSDT", exact(long["mark"]))
    initial, _, bankruptcy = ledger.margin("BTCUSDT")
    assert bankruptcy == expected["long_bankruptcy"]
    assert ledger.unrealized == expected["long_upnl"]
    _, fee, _, _ = ledger.liquidate("BTCUSDT", "bankruptcy", fee_rate=exact(long["taker"]))
    assert fee == pytest.approx(exact(expected["long_close_fee_at_bankruptcy"]), abs=near)
    roi = expected["long_upnl"] / (initial + fee)
    assert roi == pytest.approx(exact(expected["long_roi"]), abs=near)

    short = given["short"]
    quantity, taker = exact(short["qty"]), exact(short["taker"])
    entry, leave = exact(short["entry"]), exact(short["exit"])
    ledger = Ledger("10000", [perpetual()])
    _, open_fee, _, _ = ledger.fill("BTCUSDT", "SELL", entry, quantity, entry * quantity * taker)
    # A short pays when the rate is negative: 2.10 on 2400 of value.
    ledger.funding("BTCUSDT", -exact(short["funding_paid"]) / (entry * quantity), entry)
    realized, close_fee, _, _ = ledger.fill(
        "BTCUSDT", "BUY", leave, quantity, leave * quantity * taker
    )
    assert (open_fee, close_fee) == (exact(expected["open_fee"]), exact(expected["close_fee"]))
    assert realized == expected["short_pnl"]
    assert ledger.equity - 10000 == pytest.approx(exact(expected["closed_pnl"]), abs=near)
    ledger.check()


@dataclass
class Line:
    """What the second accountant knows about one symbol."""

    quantity: Fraction = Fraction(0)
    average: Fraction = Fraction(0)
    mark: Fraction = Fraction(0)
    reduces: int = 0


@dataclass
class Accountant:
    """Average entries in exact fractions; every amount is a sum over the events themselves."""

    cash: Fraction
    spots: frozenset[str]
    lines: dict[str, Line] = field(default_factory=dict)
    realized: Fraction = Fraction(0)
    fees: Fraction = Fraction(0)
    funding_sum: Fraction = Fraction(0)

    def fill(self, symbol: str, signed: Fraction, price: Fraction, fee: Fraction) -> None:
        line = self.lines.setdefault(symbol, Line(mark=price))
        closing = Fraction(0)
        if line.quantity * signed < 0:
            closing = min(abs(line.quantity), abs(signed)) * (1 if line.quantity > 0 else -1)
            gain = closing * (price - line.average)
            self.realized += gain
            line.quantity -= closing
            line.reduces = line.reduces + 1 if line.quantity else 0
            self.cash += 0 if symbol in self.spots else gain
        opening = signed + closing
        if opening:
            held = line.quantity * line.average + opening * price
            line.quantity += opening
            line.average = held / line.quantity
        if symbol in self.spots:
            self.cash -= signed * price
        self.cash -= fee
        self.fees += fee

    def funding(self, symbol: str, rate: Fraction, mark: Fraction) -> None:
        exact_cash = -self.lines[symbol].quantity * mark * rate
        received = exact_cash // UNIT * UNIT
        self.cash += received
        self.funding_sum += received

    def unrealized(self) -> Fraction:
        return sum((x.quantity * (x.mark - x.average) for x in self.lines.values()), Fraction(0))

    def equity(self) -> Fraction:
        coins = sum(
            (x.quantity * x.mark for s, x in self.lines.items() if s in self.spots), Fraction(0)
        )
        perps = sum(
            (
                x.quantity * (x.mark - x.average)
                for s, x in self.lines.items()
                if s not in self.spots
            ),
            Fraction(0),
        )
        return self.cash + coins + perps


def decimals(low: int, high: int, digits: int, source: random.Random) -> Decimal:
    return Decimal(source.randint(low, high)).scaleb(-digits)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("cash", [10_000, 100_000_000_000])
def test_second_accountant_agrees_after_every_event(seed: int, cash: int) -> None:
    """Equity, fees and funding are equal to the last digit; realized within 1e-12 per reduce."""
    source = random.Random(seed)
    symbols = ["BTCUSDT", "SOLUSDT", "ETHUSDT"]
    rules = [perpetual("BTCUSDT"), perpetual("SOLUSDT"), spot("ETHUSDT")]
    ledger = Ledger(cash, rules, allow_spot_borrowing=True)
    second = Accountant(Fraction(cash), frozenset({"ETHUSDT"}))
    for _ in range(250):
        symbol = source.choice(symbols)
        price = decimals(1, 10_000_000, 2, source)
        action = source.random()
        if symbol not in second.lines or action < 0.6:
            side = source.choice(["BUY", "SELL"])
            quantity = decimals(1, source.choice([5, 5_000]), 3, source)
            fee = decimals(-(10**6), 10**9, 12, source)
            ledger.fill(symbol, side, price, quantity, fee)
            signed = Fraction(quantity) * (1 if side == "BUY" else -1)
            second.fill(symbol, signed, Fraction(price), Fraction(fee))
        elif action < 0.75 and symbol != "ETHUSDT":
            rate = decimals(-30_000_001, 30_000_001, 10, source)
            ledger.funding(symbol, rate, price)
            second.funding(symbol, Fraction(rate), Fraction(price))
        else:
            ledger.mark(symbol, price)
            second.lines[symbol].mark = Fraction(price)
        ledger.check()
        assert Fraction(ledger.equity) == second.equity()
        assert Fraction(ledger.fees) == second.fees
        assert Fraction(ledger.funding_total) == second.funding_sum
        slack = UNIT * sum(line.reduces for line in second.lines.values())
        assert abs(Fraction(ledger.realized) - second.realized) <= slack
        assert abs(Fraction(ledger.unrealized) - second.unrealized()) <= slack
        for name, line in second.lines.items():
            assert Fraction(ledger.position(name)[0]) == line.quantity


def test_a_flip_closes_the_old_side_and_opens_at_the_fill_price() -> None:
    ledger = Ledger("1000", [perpetual()])
    ledger.fill("BTCUSDT", "BUY", "100", "2", "0")
    done = ledger.fill("BTCUSDT", "SELL", "110", "3", Decimal("1E-8"))
    assert done == (Decimal(20), Decimal("0.00000001"), Decimal(-1), True)
    assert ledger.position("BTCUSDT")[:2] == (Decimal(-1), Decimal(110))


def test_a_reduce_keeps_the_average_entry() -> None:
    ledger = Ledger("1000", [perpetual()])
    ledger.fill("BTCUSDT", "SELL", "100", "3", "0")
    assert ledger.fill("BTCUSDT", "BUY", "90", "1", "0")[0] == 10
    assert ledger.position("BTCUSDT")[:2] == (Decimal(-2), Decimal(100))


def test_floats_are_for_marks_and_charts_only() -> None:
    ledger = Ledger("1000", [perpetual()])
    ledger.fill("BTCUSDT", "BUY", "100", "1", "0.5")
    ledger.mark("BTCUSDT", 101.004)
    assert ledger.unrealized == 1
    assert (ledger.equity_f64, ledger.fees_f64, ledger.unrealized_f64) == (1000.5, 0.5, 1.0)
    assert (ledger.cash_f64, ledger.realized_f64, ledger.funding_total_f64) == (999.5, 0.0, 0.0)
    with pytest.raises(TypeError, match="Decimal"):
        ledger.fill("BTCUSDT", "BUY", 100.0, "1", "0")  # type: ignore[arg-type]
    with pytest.raises(PriceNotOnTick):
        ledger.mark("BTCUSDT", Decimal("101.004"))


def test_refusals_name_the_reason_and_change_nothing() -> None:
    ledger = Ledger("1000", [perpetual(), spot()])
    before = ledger.canonical_bytes()
    with pytest.raises(UnknownSymbol, match="XRPUSDT"):
        ledger.mark("XRPUSDT", 1.0)
    with pytest.raises(InsufficientMargin, match=r"short by 0\.5"):
        ledger.fill("ETHUSDT", "SELL", "100", "0.5", "0")
    with pytest.raises(InsufficientMargin, match="cash short by 0.01"):
        ledger.fill("ETHUSDT", "BUY", "1000", "1", "0.01")
    with pytest.raises(NotADecimal):
        ledger.fill("BTCUSDT", "BUY", "100", "1", Decimal("NaN"))
    with pytest.raises(ValueError, match="BUY or SELL"):
        ledger.fill("BTCUSDT", "buy", "100", "1", "0")
    with pytest.raises(InsufficientMargin, match="available 1000"):
        ledger.transfer("-1000.01")
    assert ledger.canonical_bytes() == before


def test_liquidation_is_due_below_maintenance_and_books_its_fee_apart() -> None:
    ledger = Ledger("400", [perpetual()], leverage="50")
    ledger.fill("BTCUSDT", "BUY", "20000", "1", "0")
    assert (ledger.used_margin, ledger.available) == (Decimal(400), Decimal(0))
    assert not ledger.liquidation_due()
    ledger.mark("BTCUSDT", "19690")
    assert ledger.liquidation_due()
    assert ledger.liquidate("BTCUSDT", "mark", fee_rate="0.0006")[0] == -310
    assert (ledger.fees, ledger.liquidation_fees) == (Decimal(0), Decimal("11.814"))
    assert ledger.equity == Decimal("78.186")
    ledger.check()


def test_drawdown_counts_observed_moments_and_ignores_transfers() -> None:
    ledger = Ledger("1000", [perpetual()])
    ledger.fill("BTCUSDT", "BUY", "1000", "1", "0")
    for price in (1200.0, 900.0, 1100.0):
        ledger.mark("BTCUSDT", price)
        assert ledger.observe_equity() == price
    ledger.transfer("500")
    ledger.observe_equity()
    assert (ledger.peak_equity, ledger.max_drawdown) == (Decimal(1700), Decimal(300))
    assert ledger.max_drawdown_fraction == 0.25


def test_state_hash_is_sha256_of_count_lengths_and_parts() -> None:
    def length(number: int) -> bytes:
        return number.to_bytes(8, "little")

    plain = length(2) + length(2) + b"ab" + length(0)
    assert state_hash([b"ab", b""]) == hashlib.sha256(plain).hexdigest()
    ledger, other = (Ledger("1", [perpetual()]) for _ in range(2))
    assert state_hash([ledger.canonical_bytes()]) == state_hash([other.canonical_bytes()])
