# SPDX-License-Identifier: Apache-2.0
"""Another process that trades, seen by its journal and spoken to over its socket (ADR 0025)."""
