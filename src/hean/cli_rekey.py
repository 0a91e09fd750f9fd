# SPDX-License-Identifier: Apache-2.0
"""`hean rekey`: another API key for a running process, which asks the venue whose it is and what it
may do before it uses it. The files are named, never their content.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
from hean.cli_places import PlaceOption, asked, me, only_one, places_in
from hean.errors import Halted

ANSWER_S = 60.0  # the venue is asked three times, and a row is written

KeyFileOption = Annotated[
    Path, typer.Option("--key-file", metavar="FILE", help="The key, mode 0600.")
]
SecretFileOption = Annotated[
    Path, typer.Option("--secret-file", metavar="FILE", help="Its secret, mode 0600.")
]


def mount(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command(
        "rekey",
        epilog="Example: hean rekey --key-file new.key --secret-file new.secret; then name these "
        "files for the next start (BYBIT_API_KEY_FILE ...), and delete the old key at the venue. "
        "Exit 0: the new key is used; 3: no process; 4: refused, the old one goes on.",
    )(rekey)


@run_command
def rekey(
    *,
    key_file: KeyFileOption,
    secret_file: SecretFileOption,
    only: PlaceOption = None,
    data_dir: DataDirOption = DATA_DIR_DEFAULT,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Let the process that trades use another key of the same account, without a restart."""
    place = only_one(places_in(data_dir, only))
    files = {"key_file": key_file, "secret_file": secret_file}
    wanted = {name: str(path.expanduser().absolute()) for name, path in files.items()}
    answer = asked(place, {"verb": "rekey", **wanted, "by": me()}, timeout_s=ANSWER_S)
    if not answer["ok"]:
        why = "; ".join(answer.get("missing", ())) or answer.get("error", "no reason given")
        raise Halted(f"{place.name}: the key before goes on; missing: {why}.")
    say(f"{place.name}: the new key is used; the old one may be deleted.", json_to=json_to)
    if json_to is not None:
        write_json({"place": place.name, **answer}, json_to)
