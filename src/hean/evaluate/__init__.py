# SPDX-License-Identifier: Apache-2.0
"""Is what a backtest found there, or was it found by looking? `evaluation` plays a grid of trials
with the production engine, judges each choice on what it was not chosen by, counts how much was
tried, makes costs worse, and says in one sentence whether anything survives.
"""
