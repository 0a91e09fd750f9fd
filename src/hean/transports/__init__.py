# SPDX-License-Identifier: Apache-2.0
"""How messages travel between processes: one file for each kind of broker."""
