# SPDX-License-Identifier: Apache-2.0
"""What `demo`, `serve`, `paper` and `live` share: the line to the process that delivers alerts,
from settings, around the life of an engine.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hean.config import VARIABLES, Settings
from hean.config_alerts import DESTINATIONS
from hean.observe.alert_line import AlertLine
from hean.observe.alert_rules import Severity
from hean.observe.alert_send import check_ways
from hean.observe.alert_ways import Pace, Way

__all__ = ["AlertLine", "alert_ways", "alerting"]


def alert_ways(known: Settings) -> list[Way]:
    """The destinations that are set. *Raises*: `EnvironmentFault` without Apprise,
    `ParameterInvalid` for an address it does not understand.
    """
    ways = []
    for name in DESTINATIONS:
        address = getattr(known.alerts, name)
        if address is not None:
            least = Severity(getattr(known.alerts, f"{name}_from"))
            ways.append(Way(name, address.reveal(), least))
    check_ways(ways)
    return ways


@asynccontextmanager
async def alerting(
    known: Settings, who: str, *, folder: Path | None = None
) -> AsyncIterator[AlertLine | None]:
    """The line while an engine lives, `None` where alerts are off. What ends the body with an error
    is told. *folder*: data directory, where it is not that of the settings. *Raises*: as
    `alert_ways`.
    """
    section = known.alerts
    if not section.on:
        yield None
        return
    pace = Pace(
        section.per_minute,
        float(section.digest_s),
        float(section.again_s),
        float(section.silent_s),
    )
    line = AlertLine(
        (folder or known.data_dir).expanduser(),
        who,
        alert_ways(known),
        pace,
        now=time.time_ns,
        ticks=time.monotonic,
        hidden=VARIABLES,
    )
    await line.start()
    try:
        yield line
    except Exception as error:
        line.say("engine_failed", getattr(error, "message", "") or type(error).__name__)
        raise
    finally:
        await line.stop()
