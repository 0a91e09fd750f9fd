# SPDX-License-Identifier: Apache-2.0
"""Plumbing between HEAN and a venue, without knowledge of any: sockets, requests, budgets, clock."""
