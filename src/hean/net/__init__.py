# SPDX-License-Identifier: Apache-2.0
"""Plumbing between HEAN and a venue, any venue: sockets, requests, budgets, clock."""
