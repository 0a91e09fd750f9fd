# SPDX-License-Identifier: Apache-2.0
"""The venue twin: a local exchange that speaks the true wire of Bybit V5 and Binance. `venue.py` is
the exchange, without a wire; `bybit/` and `binance/` are its dialects; `server.py` gives it an
address; `faults/` is what can go wrong. Read `orders.py`, `venue.py`, one dialect, in this order.
"""
