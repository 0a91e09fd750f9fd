# SPDX-License-Identifier: Apache-2.0
"""Historical data: read and prove files, keep them in a catalog, state the rules of a symbol.

schema       kinds, columns, ranges, spellings
reader       one file -> proven numpy columns, or a list of everything wrong with it
catalog      proven files as Parquet under the data directory, imported atomically
fingerprint  what a result says about the data it stands on
instruments  tick, lot, fees and tiers of a symbol
download     history of a venue into the catalog; staging keeps its pages meanwhile
record       raw frames to capture files; record_stream brings them from a live feed
"""
