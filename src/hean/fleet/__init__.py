# SPDX-License-Identifier: Apache-2.0
"""Processes of a deployment table, and what joins them."""
