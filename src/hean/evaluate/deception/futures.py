# SPDX-License-Identifier: Apache-2.0
"""`futures.py`: decisions must not depend on what comes later. The recording is cut at many moments
and continued in other ways; what was decided before must stay as it was, bit for bit. Where it does
not, the distance between the cut and the first decision that changed tells what kind of knowledge
it was: of the next bar, of the bars around a turning point, or of everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from hean.data.fingerprint import iso_utc
from hean.data.schema import Kind
from hean.evaluate.deception.findings import Bench, Finding, Verdict
from hean.evaluate.deception.plays import Decision, Play
from hean.evaluate.deception.staging import Array, with_other_future
from hean.quant.bootstrap import generator

DENSE, RANDOM, AT_DECISIONS, AT_EVENTS = 64, 50, 50, 20  # cuts of each kind
FUTURES = 4  # moments after which the market goes another way
FIT_REACH = 50  # bars: who changes decisions as old as that has seen more than a pattern
FIT_SHARE = 0.25  # and as old as this part of the recording
SECOND_NS = 10**9
CUTS, NOISE = 201, 202  # streams of the generator

Times = npt.NDArray[np.int64]


class Difference(msgspec.Struct, frozen=True):
    """Where two plays that share a past part. *known_ns*: end of the shared past; *at_ns*: the
    first decision that differs; *gone*, *new*: decisions of the shorter that the longer does not
    have, and the other way round; *failure*: what the shorter raised."""

    known_ns: int
    at_ns: int
    gone: int
    new: int
    failure: str = ""


def own_eyes(bench: Bench) -> Finding:
    """A strategy is told the market; it has no business with files of it."""
    name, asks = "eyes", "does it read market data by itself?"
    for opened in bench.base.opened:
        where = f" (line {opened.line})" if opened.line else ""
        what = f"opens {opened.path.name}{where}"
        if opened.is_market:
            reason = f"{what}, the recording it is played on: no live session has such a file"
        else:
            reason = f"{what}: whether that holds what comes later cannot be checked"
        return Finding(name, asks, Verdict.FAILS, reason)
    return Finding(name, asks, Verdict.PASSES, "opens no data file")


def prefix(bench: Bench, seed: int, most: int) -> Finding:
    """Decisions on a recording that stops earlier are the first decisions on the whole. *most*:
    cuts at most.
    """
    name, asks = "prefix", "does it decide the same when the recording stops earlier?"
    count = len(bench.base.decisions)
    if not count:
        reason = "it decided nothing in the part that was played; give more data or other settings"
        return Finding(name, asks, Verdict.SKIPPED, reason)
    cuts = _spread(_cuts(bench, seed), most)
    found = []
    for cut_ns in cuts:
        part = bench.play(bench.stage.cut(bench.fresh(), cut_ns))
        difference = compare(bench.base, part, cut_ns)
        if difference is not None:
            found.append(difference)
    if found:
        return Finding(name, asks, Verdict.FAILS, explain(bench, found, len(cuts)))
    reason = f"{count:,} decisions, the same at {len(cuts)} cuts"
    return Finding(name, asks, Verdict.PASSES, reason)


def other_future(bench: Bench, seed: int) -> Finding:
    """Noise, the same backwards, and ten times the price change no earlier decision."""
    name, asks = "future", "does it decide the same when the market goes another way later?"
    if bench.stage.captures:
        reason = f"{bench.stage.captures[0].name} holds frames, whose future cannot be changed"
        return Finding(name, asks, Verdict.SKIPPED, reason)
    known = moments(bench, FUTURES)
    draw = generator(seed, NOISE)

    def noise(path: Array) -> Array:
        spread = float(np.std(np.diff(path))) if path.size > 2 else 0.001
        return np.asarray(np.cumsum(draw.standard_normal(path.size) * spread))

    def backwards(path: Array) -> Array:
        return np.asarray(np.cumsum(np.diff(path, prepend=0.0)[::-1]))

    def tenfold(path: Array) -> Array:
        return np.asarray(path + np.log(10.0))

    found = []
    for known_ns in known:
        for change in (noise, backwards, tenfold):
            staged = bench.stage.changed(bench.fresh(), with_other_future(change, known_ns))
            difference = compare(bench.base, bench.play(staged), known_ns)
            if difference is not None:
                found.append(difference)
    tried = 3 * len(known)
    if found:
        return Finding(name, asks, Verdict.FAILS, explain(bench, found, tried))
    if not bench.base.decisions:
        return Finding(name, asks, Verdict.SKIPPED, "it decided nothing")
    return Finding(name, asks, Verdict.PASSES, f"the same in {tried} other futures")


def compare(longer: Play, other: Play, known_ns: int) -> Difference | None:
    """Where two plays part before *known_ns*; None if they do not."""
    if other.failure:
        return Difference(known_ns, known_ns, 0, 0, other.failure)
    whole, part = longer.until(known_ns), other.until(known_ns)
    same = 0
    for one, two in zip(whole, part, strict=False):
        if one != two:
            break
        same += 1
    if same == len(whole) == len(part):
        return None
    later, sooner = whole[same:], part[same:]
    at_ns = min(each[0] for each in (*later[:1], *sooner[:1]))
    return Difference(known_ns, at_ns, _missing(sooner, later), _missing(later, sooner))


def explain(bench: Bench, found: Sequence[Difference], tried: int) -> str:
    """What kind of knowledge the differences show, with the clearest of them."""
    failed = [each for each in found if each.failure]
    found = [each for each in found if not each.failure]
    looks_up = f"; {bench.looks_up}" if bench.looks_up else ""
    if not found:
        at = iso_utc(failed[0].known_ns)
        return f"needs what comes later: stopped at {at} it fails, {failed[0].failure}{looks_up}"
    deepest = max(found, key=lambda each: each.known_ns - each.at_ns)
    reach = round((deepest.known_ns - deepest.at_ns) / bench.step_ns)
    start_ns = bench.stage.recording.start_ns or min(
        int(columns.ts[0]) for columns in bench.stage.columns.values()
    )
    past = max(deepest.known_ns - start_ns, 1)
    share = (deepest.known_ns - deepest.at_ns) / past
    where = (
        f"with data up to {iso_utc(deepest.known_ns)} the decision of {iso_utc(deepest.at_ns)} is "
        f"another; {len(found) + len(failed)} of {tried} tries differ{looks_up}"
    )
    bars = "bar" if reach <= 1 else "bars"
    if reach >= FIT_REACH and share >= FIT_SHARE:
        return (
            f"fits on the whole sample: later data change decisions {reach:,} bars old, as a scale "
            f"or parameter computed over everything does; {where}"
        )
    if reach == 0:
        return f"peeks ahead: it decides on the bar that comes next; {where}"
    if any(each.gone for each in found):
        return f"repaints: later data take back or move decisions up to {reach} {bars} old; {where}"
    return f"peeks ahead: it decides on up to {reach + 1} bars that come later; {where}"


def _missing(some: Iterable[Decision], others: Sequence[Decision]) -> int:
    return sum(each not in others for each in some)


def _ends(bench: Bench) -> Times:
    """Moments at which a row of the finest data is known, within what is played."""
    columns = [c for c in bench.stage.columns.values() if c.kind in (Kind.CANDLES, Kind.TRADES)]
    if not columns:
        first, end = bench.stage.recording.start_ns or 0, bench.stage.end_ns
        return np.arange(first or end - 3_600 * SECOND_NS, end, SECOND_NS, dtype=np.int64)
    finest = min(columns, key=lambda c: c.step_ns or 0)
    ends = finest.ts + (finest.step_ns or 0)
    first = bench.stage.recording.start_ns or 0
    return ends[(ends > first) & (ends <= bench.stage.end_ns)]


def _cuts(bench: Bench, seed: int) -> list[int]:
    """Where to stop: densely around the middle decision, at decisions, after holes and funding,
    and anywhere."""
    ends = _ends(bench)[1:-1]
    if not ends.size:
        return []
    decided = [ts for ts, _ in bench.base.decisions]
    middle = decided[len(decided) // 2] if decided else int(ends[ends.size // 2])
    place = int(np.searchsorted(ends, middle))
    begin = max(0, min(place - DENSE // 2, ends.size - DENSE))
    cuts = set(ends[begin : begin + DENSE].tolist())
    cuts |= set(_spread(_known(decided, ends), AT_DECISIONS))
    holes = ends[1:][np.diff(ends) > 1.5 * np.median(np.diff(ends))] if ends.size > 2 else ends[:0]
    settled = [c.ts for c in bench.stage.columns.values() if c.kind is Kind.FUNDING]
    events = np.unique(np.concatenate([holes, *settled]))
    after = ends[np.minimum(np.searchsorted(ends, events), ends.size - 1)]
    cuts |= set(_spread(after.tolist(), AT_EVENTS))
    cuts |= set(generator(seed, CUTS).choice(ends, min(RANDOM, ends.size), replace=False).tolist())
    return sorted(int(cut) for cut in cuts if ends[0] <= cut <= ends[-1])


def moments(bench: Bench, count: int) -> list[int]:
    """Moments between decisions, spread over them."""
    ends = _ends(bench)
    known = _known([ts for ts, _ in bench.base.decisions], ends) or ends.tolist()
    return _spread(known[:-1] or known, count)


def _known(decided: Sequence[int], ends: Times) -> list[int]:
    """For each decision the moment at which the row it fell into is known: within a bar, orders
    fill on a path that the whole bar makes."""
    places = np.unique(np.searchsorted(ends, decided))
    return [int(ends[place]) for place in places if place < ends.size]


def _spread(values: Sequence[int], count: int) -> list[int]:
    """At most *count* of them, evenly."""
    if len(values) <= count:
        return list(values)
    return [values[n] for n in np.linspace(0, len(values) - 1, count).astype(int).tolist()]
