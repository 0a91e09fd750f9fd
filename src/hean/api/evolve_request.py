# SPDX-License-Identifier: Apache-2.0
"""`evolve_request.py`: what somebody may ask of an evolution, and how it becomes the words of
`hean evolve`. Bounded so that it can end within the hour that a job has; a feature of one's own is
code, and so for the command line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from hean.api.job_requests import AT_ONCE, Found, PlayedAsked, of_data, played, wrong
from hean.api.problems import FieldProblem, Refused

BARS = frozenset({"candles", "funding"})
"""What the judge of genomes plays."""
GENOMES_MAX = 20_000


class EvolveAsked(PlayedAsked):
    """An evolution. *data*: candles and funding, ids of `GET /data`; *population*: agents alive at
    a time; population times *generations* is 20000 at most; *folds*: of the days that are bred on;
    *embargo_days*: left out between parts; *holdout*: share of the days that is held back, and as
    much again to judge champions; *min_trades*: of a candidate.
    """

    population: Annotated[int, Field(ge=8, le=500)] = 50
    generations: Annotated[int, Field(ge=1, le=200)] = 20
    folds: Annotated[int, Field(ge=2, le=20)] = 4
    embargo_days: Annotated[int, Field(ge=1, le=90)] = 2
    holdout: Annotated[float, Field(ge=0.05, le=0.4)] = 0.2
    min_trades: Annotated[int, Field(ge=5, le=100_000)] = 100


def evolve_words(asked: EvolveAsked, found: Found, data_dir: Path) -> list[str]:
    """Its command line. *found*: the data there is; *data_dir*: where the trials are counted.
    *Raises*: `Refused`, 422.
    """
    problems = of_data(asked, found) or _not_bars(asked, found)
    if problems:
        raise wrong(problems)
    genomes = asked.population * asked.generations
    if genomes > GENOMES_MAX:
        raise Refused(
            422, "TooManyGenomes",
            f"population times generations is {genomes}, at most {GENOMES_MAX}; "
            f"{GENOMES_MAX // asked.population} generations are allowed with this population.",
            field="/body/generations",
        )  # fmt: skip
    return [
        "evolve", *played(asked, found), f"--data-dir={data_dir}", f"--workers={AT_ONCE}",
        f"--population={asked.population}", f"--generations={asked.generations}",
        f"--folds={asked.folds}", f"--embargo={asked.embargo_days}", f"--holdout={asked.holdout}",
        f"--min-trades={asked.min_trades}",
    ]  # fmt: skip


def _not_bars(asked: EvolveAsked, found: Found) -> list[FieldProblem]:
    """Sets that the judge does not play, and bars of a second length of one symbol."""
    problems: list[FieldProblem] = []
    lengths: dict[tuple[str, str, str], str | None] = {}
    for place, name in enumerate(asked.data):
        each = found[name][0]
        field = f"/body/data/{place}"
        if each.kind not in BARS:
            detail = f"is of {each.kind}; an evolution plays candles and funding"
            problems.append(FieldProblem(field=field, detail=detail))
        elif each.kind == "candles":
            market = (each.venue, each.market, each.symbol)
            first = lengths.setdefault(market, each.timeframe)
            if first != each.timeframe:
                detail = f"has bars of {each.timeframe} beside those of {first}; give one length"
                problems.append(FieldProblem(field=field, detail=detail))
    return problems
