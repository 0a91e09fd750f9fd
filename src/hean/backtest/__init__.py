# SPDX-License-Identifier: Apache-2.0
"""Playing a strategy against a recorded market, and judging what came of it."""
