# SPDX-License-Identifier: Apache-2.0
"""`hean resolve`: what a person knows of an order in quarantine. The running process asks the venue
first and believes it before anybody; only where it shows nothing does the claim count, with a
reason, and with the phrase typed. Without an order it tells which ones wait for somebody.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hean.cli_common import (
    DATA_DIR_DEFAULT,
    DataDirOption,
    DebugOption,
    JsonOption,
    run_command,
    say,
    write_json,
)
from hean.cli_places import PhraseOption, PlaceOption, asked, me, only_one, places_in, typed
from hean.errors import EnvironmentFault, Halted, HeanError, ParameterInvalid
from hean.live.claims import LOOK_S, Word
from hean.live.control import SETTLE_S

ANSWER_S = LOOK_S + 2 * SETTLE_S  # the process reads the account first
REFUSALS: dict[int, type[HeanError]] = {
    each.code: each for each in (ParameterInvalid, Halted, EnvironmentFault)
}

OrderArgument = Annotated[
    str | None, typer.Argument(metavar="ORDER_ID", help="In quarantine; none lists them.")
]
ClaimArgument = Annotated[
    Word | None, typer.Argument(metavar="never-made|ended", help="What became of it.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="How that is known; kept for good.")]


def mount(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(
        "resolve",
        epilog="Example: hean resolve htp95o6-mean-1 ended --reason 'support ticket 4711: purged'. "
        "The phrase is asked for. Exit 0: decided; 2: no such order; 3: no process, or the venue "
        "could not be asked; 4: refused, the order goes on counting in full.",
    )(resolve)


@run_command
def resolve(
    order_id: OrderArgument = None,
    claim: ClaimArgument = None,
    *,
    reason: ReasonOption = "",
    phrase: PhraseOption = None,
    only: PlaceOption = None,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Say what became of an order that nobody could decide, or list such orders."""
    place = only_one(places_in(data_dir, only))
    if order_id is None:
        _list(place, json_to)
        return
    if claim is None:
        raise ParameterInvalid(f"say what became of {order_id}: {' or '.join(Word)}.")
    wanted = {
        "verb": "resolve",
        "order_id": order_id,
        "claim": claim.value,
        "phrase": phrase if phrase is not None else typed("phrase for the claim"),
        "reason": reason,
        "by": me(),
    }
    answer = asked(place, wanted, timeout_s=ANSWER_S)
    if not answer["ok"]:
        raise _refusal(place, answer)
    say(f"{place.name}: {answer['done']}.", json_to=json_to)
    if json_to is not None:
        write_json({"place": place.name, **answer}, json_to)


def _list(place: Path, json_to: str | None) -> None:
    """Every order that waits for a person."""
    answer = asked(place, {"verb": "quarantine"})
    if not answer["ok"]:
        raise _refusal(place, answer)
    for order in answer["orders"]:
        terms = f"{order['side']} {order['size']} {order['symbol']}, {order['filled']} filled"
        say(f"{place.name}: {order['order_id']} ({terms}): {order['why']}", json_to=json_to)
    if not answer["orders"]:
        say(f"{place.name}: no order is in quarantine.", json_to=json_to)
    if json_to is not None:
        write_json({"place": place.name, "orders": answer["orders"]}, json_to)


def _refusal(place: Path, answer: dict[str, Any]) -> HeanError:
    if missing := answer.get("missing"):
        return Halted(f"{place.name}: nothing was changed: {'; '.join(missing)}.")
    kind = REFUSALS.get(answer.get("code", 0), Halted)
    return kind(f"{place.name}: {answer.get('error', 'no reason given')}")
