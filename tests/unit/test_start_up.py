# SPDX-License-Identifier: Apache-2.0
"""What a command loads before it does anything."""

from __future__ import annotations

import subprocess
import sys

# SciPy alone takes longer to load than all of HEAN; the others are no part of it at run time.
HEAVY = ("scipy", "pandas", "statsmodels", "arch", "sklearn", "hmmlearn", "matplotlib")


def test_no_command_loads_scipy_before_it_computes():
    """A process of its own: here, other tests have loaded all of them."""
    code = f"import hean.cli, sys; print(*(set({HEAVY}) & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
