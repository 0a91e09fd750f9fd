# SPDX-License-Identifier: Apache-2.0
"""The command, with a kill switch that may be released after a second instead of a minute."""

from hean.__main__ import main
from hean.risk import killswitch

killswitch.COOL_DOWN_S = 1

if __name__ == "__main__":
    main()
