# SPDX-License-Identifier: Apache-2.0
"""`python -m hean`."""

from __future__ import annotations

from hean.cli import main

main()
