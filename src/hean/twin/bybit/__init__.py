# SPDX-License-Identifier: Apache-2.0
"""The wire of Bybit V5 over the twin's exchange: REST, public, private and order-entry sockets. It
speaks Bybit's words and codes and keeps what only Bybit keeps; it moves no money of its own.
"""

from hean.twin.bybit.dialect import BybitDialect

__all__ = ["BybitDialect"]
