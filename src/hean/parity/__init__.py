# SPDX-License-Identifier: Apache-2.0
"""Parity of a recorded run and its backtest: `sides.py` reads both, `trades.py` matches their
fills, `data.py` compares their markets, `trial.py` finds the cause of each difference.
"""
