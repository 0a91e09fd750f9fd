# SPDX-License-Identifier: Apache-2.0
"""What a running engine can be asked and told, whatever it trades on (ADR 0022)."""

from hean.engine.facade import EngineFacade

__all__ = ["EngineFacade"]
