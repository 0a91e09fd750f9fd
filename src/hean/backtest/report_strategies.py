# SPDX-License-Identifier: Apache-2.0
"""`report_strategies.py`: who of several strategies earned what, as one table whose last line is
the account's. Where there is one strategy there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from html import escape
from typing import Any

from hean.backtest.report_sections import money, note, section, signed, table

NOBODY = "nobody's"
"""What no strategy did: a liquidation beyond what they hold, roundings of funding."""


def strategies(summary: Mapping[str, Any]) -> str:
    """The table; empty without several."""
    found = summary.get("strategies")
    if not isinstance(found, list) or not found:
        return ""
    rows = [_row(each) for each in found if each["name"] or Decimal(each["net_pnl"])]
    total = Decimal(str(summary["net_pnl"]))
    rows.append(
        (
            "<b>the account</b>",
            escape(", ".join(summary["symbols"])),
            f"{summary['fills']:,}",
            f"{summary['trades']:,}",
            money(Decimal(summary["fees"])),
            money(Decimal(summary["funding"])),
            signed(total, money(total)),
            "",
        )
    )
    heads = ["Strategy", "Symbols", "Fills", "Trades", "Fees", "Funding paid", "Net result"]
    heads.append("Last share")
    drawn = table(heads, rows, name="Strategies", style="data")
    words = "Each strategy has a book of its own; results add up to the account's exactly."
    return section("strategies", "Strategies", drawn, note(words))


def _row(each: Mapping[str, Any]) -> tuple[str, ...]:
    net = Decimal(each["net_pnl"])
    return (
        escape(each["name"] or NOBODY),
        escape(", ".join(each.get("symbols", ()))),
        f"{each.get('fills', 0):,}",
        f"{each.get('trades', 0):,}",
        money(Decimal(each["fees"])),
        money(Decimal(each["funding"])),
        signed(net, money(net)),
        f"{each['share']:.1%}" if "share" in each else "",
    )
