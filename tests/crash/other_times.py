# SPDX-License-Identifier: Apache-2.0
"""The command with other times: a kill switch that may be released after a second instead of a
minute, and waits that are longer than a machine may stand still.
"""

import sys

from hean.__main__ import main
from hean.risk import killswitch
from hean.venues import dispatch

killswitch.COOL_DOWN_S = 1
dispatch.ANSWER_S = 60.0
if "serve" in sys.argv:
    from hean.follow import following

    following.SILENT_S = following.WAIT_S = 60.0

if __name__ == "__main__":
    main()
