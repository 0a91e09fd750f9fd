# SPDX-License-Identifier: Apache-2.0
"""The command, whose drill allows a machine that stands still for a while more than people allow a
real one.
"""

from hean.__main__ import main
from hean.live import drill

drill.ACKNOWLEDGED_S = drill.CANCELLED_S = drill.CLOSED_S = 60.0
drill.WATCHED_S, drill.GRACE_S = 4.0, 0.5

if __name__ == "__main__":
    main()
