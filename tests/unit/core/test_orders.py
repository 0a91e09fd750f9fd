# SPDX-License-Identifier: Apache-2.0
"""Payloads about orders."""

from __future__ import annotations

from hean.core.orders import OrderApproved, OrderRequest

BY_POSITION = (
    "symbol",
    "side",
    "size",
    "type",
    "price",
    "order_id",
    "trigger_price",
    "reduce_only",
    "time_in_force",
    "strategy_id",
    "algo",
    "parent_id",
)


def test_request_and_approval_begin_with_the_fields_that_rust_reads_by_position():
    for payload in (OrderRequest, OrderApproved):
        assert payload.__struct_fields__[: len(BY_POSITION)] == BY_POSITION
