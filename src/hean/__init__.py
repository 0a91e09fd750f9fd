# SPDX-License-Identifier: Apache-2.0
"""HEAN: one strategy, one code path, from backtest to live."""

__version__ = "0.1.0"
