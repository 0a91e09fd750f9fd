# SPDX-License-Identifier: Apache-2.0
"""What can go wrong on the twin on purpose, and what somebody can do there by hand. `board.py`
holds the dials that are set, `dials.py` lists all there are, `quirks.py` is where the exchange
itself asks. Nothing here goes wrong unless a dial is set.
"""
