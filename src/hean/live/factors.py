# SPDX-License-Identifier: Apache-2.0
"""`factors.py`: which factors of the live gate were set before the start. Each counts from its own
place alone: a confirmation from the environment, the switched-off dry run and the waiver from the
configuration file, addresses from the list of the venue's own.
"""

from __future__ import annotations

from hean.config import Settings, Source, endpoints_of
from hean.errors import ParameterInvalid
from hean.risk.live_gate import Configured


def configured(settings: Settings) -> Configured:
    """What the settings give of the gate."""
    try:
        endpoints_of(settings)
        is_known_host = True
    except ParameterInvalid:
        is_known_host = False
    return Configured(
        is_confirmed=settings.live_confirm is True
        and _is_from(settings, "live_confirm", Source.ENVIRONMENT),
        is_wet=settings.dry_run is False and _is_from(settings, "dry_run", Source.FILE),
        is_known_host=is_known_host,
        is_address_waived=settings.waive_key_addresses is True
        and _is_from(settings, "waive_key_addresses", Source.FILE),
    )


def _is_from(settings: Settings, key: str, source: Source) -> bool:
    origin = settings.origins.get(key)
    return origin is not None and origin.source is source
