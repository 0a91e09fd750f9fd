# SPDX-License-Identifier: Apache-2.0
"""Brings every key of one server that speaks the Redis protocol to another, such as from Redis to
KeyDB or Valkey: all types, expiry, streams with groups, pending entries and last ids.

    python scripts/migrate_redis_to_keydb.py --source redis://old:6379 --target redis://new:6379

A run that was interrupted goes on where it is started again. With `--follow` the source may be
written meanwhile; `--cutover COMMAND` then moves the writers without losing a write, see
`docs/operations/keydb.md`. What it can not bring is named, and the exit code is 1.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from hean.cli_common import (
    DebugOption,
    ExitCode,
    JsonOption,
    progress,
    run_command,
    say,
    write_json,
)
from hean.errors import EnvironmentFault, ParameterInvalid
from keyspace import Answered, Key, Server
from keyspace_migration import NAMES_MAX, NEAR, Migration, Tally

EXITS = (
    "Exit codes: 0 done, digests agree; 1 something differs or cannot be brought; 2 options, "
    "password, or a target that is not empty; 3 a server is away; 130 interrupted."
)
SourceOption = Annotated[
    str, typer.Option(envvar="REDIS_URL", help="Where the keys are; only read.")
]
TargetOption = Annotated[str, typer.Option(envvar="KEYDB_URL", help="Where they go.")]
PasswordOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Holds the password, in place of the URL.")
]

DatabaseOption = Annotated[
    list[int] | None, typer.Option(min=0, help="A database; may be repeated; else all.")
]
DryOption = Annotated[bool, typer.Option("--dry-run", help="Compare, and write nothing.")]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace all that the target has, whoever brought it.")
]
FollowOption = Annotated[
    bool, typer.Option("--follow", help="Bring what is written meanwhile, until Ctrl-C.")
]
IdleOption = Annotated[
    float | None, typer.Option(min=0.1, help="Follow until nothing was written for so long, s.")
]
CutoverOption = Annotated[
    str | None,
    typer.Option(
        metavar="COMMAND",
        help="Follow, then move the writers: let them wait, bring the rest, run this, which points "
        "them to the target, and cut their lines.",
    ),
]
PauseOption = Annotated[
    float, typer.Option(min=0.5, max=120, help="How long writers may wait for that, s.")
]


@dataclass(frozen=True)
class End:
    """When it is enough: after *until_idle_s* without a write, by the *cutover* command, for which
    writers wait *pause_s* at most, or after some looks at everything.
    """

    until_idle_s: float | None
    cutover: str | None
    pause_s: float
    passes: int
    is_following: bool

    @property
    def has_to_follow(self) -> bool:
        """Whether what is written meanwhile is brought too."""
        return self.is_following or self.until_idle_s is not None or self.cutover is not None


@run_command
def migrate(
    *,
    source: SourceOption = "redis://localhost:6379",
    target: TargetOption = "redis://localhost:6380",
    source_password_file: PasswordOption = None,
    target_password_file: PasswordOption = None,
    db: DatabaseOption = None,
    dry_run: DryOption = False,
    overwrite: OverwriteOption = False,
    follow: FollowOption = False,
    until_idle: IdleOption = None,
    cutover: CutoverOption = None,
    pause: PauseOption = 10.0,
    passes: Annotated[int, typer.Option(min=1, help="Most looks at everything.")] = 5,
    batch: Annotated[int, typer.Option(min=1, max=10_000, help="Keys at a time.")] = 200,
    json_to: JsonOption = None,
    debug: DebugOption = False,
) -> None:
    """Bring every key of one server to another, and prove it by digest."""
    if dry_run and (follow or cutover or until_idle):
        raise ParameterInvalid("--dry-run looks once; without --follow, --until-idle, --cutover.")
    wanted = End(until_idle, cutover, pause, passes, is_following=follow)
    there = Server(source, _password(source_password_file))
    here = Server(target, _password(target_password_file))
    try:
        work = Migration(
            there, here, only=db or (), batch=batch, is_dry=dry_run, is_overwriting=overwrite
        )
        document = _migrated(work, wanted)
    except Answered as error:
        raise EnvironmentFault(f"{error}.") from None
    finally:
        there.close()
        here.close()
    if json_to is not None:
        write_json(document, json_to)
    _say(document, json_to)
    if not document["done"]:
        raise typer.Exit(ExitCode.BAD_RESULT)


def _migrated(work: Migration, wanted: End) -> dict[str, Any]:
    """Do it. *Returns*: what came of it."""
    began_s = time.monotonic()
    with progress("keys", sum(work.source.databases().values())) as advance:
        tally = (
            _follow(work, wanted, advance)
            if wanted.has_to_follow
            else work.converge(wanted.passes, advance)
        )
    is_whole = not tally.unsupported and not tally.differing
    # Whoever moved the writers has let them wait for the last look.
    is_done = is_whole and (tally.is_clean or work.is_dry or wanted.cutover is not None)
    if is_done and not work.is_dry:
        work.end()
    document = _document(work, tally)
    document["cut_over"] = wanted.cutover is not None
    document["seconds"] = round(time.monotonic() - began_s, 3)
    document["done"] = is_done
    return document


def _follow(work: Migration, wanted: End, advance: Callable[[int], None]) -> Tally:
    """Copy, keep up, and end as it is wanted."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM) if wanted.cutover is None else ()
    before = [(number, signal.signal(number, lambda *_: stop.set())) for number in numbers]
    watch = work.watch()

    def is_enough(differed: int, idle_s: float) -> bool:
        if wanted.cutover is not None:
            return differed <= NEAR
        return stop.is_set() or (wanted.until_idle_s is not None and idle_s >= wanted.until_idle_s)

    try:
        work.sweep(advance)
        work.follow(watch, is_enough)
        if wanted.cutover is None:
            return work.converge(wanted.passes)
        work.sweep()  # what no notification tells is found before anybody has to wait
        work.cut_over(watch, wanted.cutover, wanted.pause_s)
        return work.sweeps[-1]
    finally:
        watch.close()
        for number, handler in before:
            signal.signal(number, handler)


def _password(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterInvalid(f"{file}: no password can be read there ({error}).") from None


def _document(work: Migration, tally: Tally) -> dict[str, Any]:
    return {
        "source": {"name": work.source.name, "server": work.source.version},
        "target": {"name": work.target.name, "server": work.target.version},
        "sha256": f"{tally.source_digest:064x}",
        "digest_source": f"{tally.source_digest:064x}",
        "digest_target": f"{tally.target_digest:064x}",
        "is_exact": work.is_exact,
        "keys": tally.keys,
        "types": dict(sorted(tally.kinds.items())),
        "written": tally.written if work.is_dry else work.written,
        "deleted": tally.deleted if work.is_dry else work.deleted,
        "resumed": work.was_begun,
        "dry_run": work.is_dry,
        "passes": len(work.sweeps),
        "differing": [_name(key) for key in tally.differing[:NAMES_MAX]],
        "unsupported": {
            _name(key): why for key, why in list(tally.unsupported.items())[:NAMES_MAX]
        },
    }


def _name(key: Key) -> str:
    return f"{key[0]}:{key[1].decode(errors='backslashreplace')}"


def _say(document: dict[str, Any], json_to: str | None) -> None:
    verb = "would be written" if document["dry_run"] else "written"
    say(
        f"{document['source']['name']} -> {document['target']['name']}: {document['keys']} keys "
        f"alike, {document['written']} {verb}, {document['deleted']} deleted, "
        f"{document['seconds']:.1f} s",
        json_to=json_to,
    )
    for side in ("source", "target"):
        say(f"digest {side} {document[f'digest_{side}']}", json_to=json_to)
    for name, why in document["unsupported"].items():
        say(f"NOT brought: {name}: {why}", json_to=json_to)
    for name in document["differing"]:
        say(f"differs: {name}", json_to=json_to)
    if not (document["done"] or document["unsupported"] or document["differing"]):
        say("the source was written meanwhile; run it with --follow", json_to=json_to)


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command(
    epilog="Example: python scripts/migrate_redis_to_keydb.py --source redis://old:6379 --target "
    f"redis://new:6379 --cutover ./point-to-new.sh --json moved.json. {EXITS}"
)(migrate)

if __name__ == "__main__":
    sys.exit(app())
