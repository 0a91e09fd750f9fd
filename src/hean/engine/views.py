# SPDX-License-Identifier: Apache-2.0
"""`views.py`: documents made of what a trading system has, when somebody asks. Nothing is kept."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from hean.engine import documents as doc
from hean.engine.port import Seen
from hean.engine.watch import Watch

UNKNOWN = frozenset({"UNKNOWN", "QUARANTINE"})
ZERO = Decimal(0)


def portfolio_of(system: Seen, watch: Watch, *, mode: str) -> doc.Portfolio:
    """The account at the last prices."""
    system.portfolio.value()
    ledger = system.portfolio.ledger
    equity, exposure = ledger.equity, gross(system)
    return doc.Portfolio(
        equity=equity,
        cash=ledger.cash,
        deposits=ledger.deposits,
        pnl_total=equity - ledger.deposits,
        pnl_today=equity - watch.opening_equity,
        realized_pnl=ledger.realized,
        unrealized_pnl=ledger.unrealized,
        fees=ledger.fees,
        funding=ledger.funding_total,
        used_margin=ledger.used_margin,
        available=ledger.available,
        peak_equity=ledger.peak_equity,
        max_drawdown_fraction=ledger.max_drawdown_fraction,
        exposure=exposure,
        leverage=float(exposure / equity) if equity > 0 else 0.0,
        positions=sum(ledger.is_held(symbol) for symbol in system.portfolio.symbols),
        open_orders=len(system.engine.open_orders()),
        mode=mode,
        ts=system.bus.clock.now_ns,
    )


def positions_of(system: Seen) -> list[doc.Position]:
    """What is held, flat symbols left out."""
    system.portfolio.value()
    held = system.portfolio.ledger.is_held
    return [_position(system, symbol) for symbol in system.portfolio.symbols if held(symbol)]


def strategies_of(system: Seen, watch: Watch, *, disabled: Mapping[str, str]) -> list[doc.Strategy]:
    """Every strategy with what it earned. *disabled*: who switched one off."""
    ledger, books = system.portfolio.ledger, system.sub_books
    whole = ledger.equity - ledger.deposits
    return [
        doc.Strategy(
            id=each.name,
            symbols=list(each.symbols),
            enabled=each.name not in disabled,
            disabled_by=disabled.get(each.name),
            params=dict(each.settings),
            pnl=books.profit(each.name) if books else whole,
            orders=watch.counts["orders", each.name],
            fills=watch.counts["fills", each.name],
            refused=watch.counts["refused", each.name],
        )
        for each in system.strategies
    ]


def risk_of(system: Seen, limits: Mapping[str, str | None]) -> doc.Risk:
    """Limits and what counts against them."""
    system.portfolio.value()
    ledger, engine, governor = system.portfolio.ledger, system.engine, system.governor
    equity, exposure = ledger.equity, gross(system)
    leverage = float(exposure / equity) if equity > 0 else 0.0
    peak = max(ledger.peak_equity, equity)
    drawdown = float(1 - equity / peak) if peak > 0 else 0.0
    open_orders = engine.open_orders()
    used = {
        "leverage_max": f"{leverage:.4f}",
        "open_orders_max": str(len(open_orders)),
        "gross_value_max": format(exposure, "f"),
        "drawdown_fraction_max": f"{drawdown:.6f}",
    }
    whys = {symbol: governor.why_stale(symbol) for symbol in system.portfolio.symbols}
    return doc.Risk(
        level=engine.halt_level,
        limits=[doc.Limit(name=n, value=v, used=used.get(n)) for n, v in limits.items()],
        gross_exposure=exposure,
        leverage=leverage,
        drawdown_fraction=drawdown,
        refusals=governor.refusals,
        unknown_orders=[o["client_order_id"] for o in open_orders if o["status"] in UNKNOWN],
        stale={symbol: why for symbol, why in whys.items() if why},
    )


def gross(system: Seen) -> Decimal:
    """Value of all positions, whatever their side, at the last prices."""
    total = ZERO
    for symbol in system.portfolio.symbols:
        qty = abs(system.portfolio.ledger.position(symbol)[0])
        price = system.portfolio.reference(symbol)
        if qty and price is not None:
            total += qty * exact(price)
    return total


def _position(system: Seen, symbol: str) -> doc.Position:
    qty, average, unrealized, realized, liquidation = system.portfolio.ledger.position(symbol)
    price = system.portfolio.reference(symbol)
    return doc.Position(
        symbol=symbol,
        qty=qty,
        avg_price=average,
        mark_price=None if price is None else exact(price),
        unrealized_pnl=unrealized,
        realized_pnl=realized,
        leverage=system.leverage,
        liquidation_price=liquidation,
    )


def exact(price: float) -> Decimal:
    """A price of the market as people write it: no instrument has more than twelve digits."""
    return Decimal(f"{price:.12g}")
