# SPDX-License-Identifier: Apache-2.0
"""`report_evolution.py`: an evolution on one page, in the clothes of a backtest's report: the
verdict, every champion's gates, curves where nothing was chosen, the front, generations and
survival, the family of the first champion, and how it was judged. Same evolution, same bytes.
"""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from hean.backtest.report import data_files, page
from hean.backtest.report_charts import BOX, Bar, Frame, Line, bar_chart, number, percent, plot
from hean.backtest.report_sections import note, section, signed, table
from hean.backtest.result import Values
from hean.evaluate.champions import Shown
from hean.evaluate.evolve import Evolved
from hean.evaluate.report_drawings import cloud, curves
from hean.quant.performance import DAYS_PER_YEAR
from hean.symbiont.evolution import Birth, lineage
from hean.symbiont.select import violation

UNKNOWN = "\u2013"
ANCESTORS_MAX = 40
SHOWN_FROM = 0.25  # of candidates by robustness; the worst would press the rest to one line
YEAR = DAYS_PER_YEAR**0.5


def render(found: Evolved) -> str:
    """The page of an evolution."""
    document = found.document
    body = (
        _champions(found),
        _curves(found),
        _figures(found),
        _front(found),
        _generations(found),
        _family(found),
        data_files(document),
        _method(found),
    )
    period = f"{document['start'][:10]} to {document['end'][:10]}"
    title = f"Evolution \u00b7 {', '.join(document['symbols'])} \u00b7 {period}"
    return page(title, document["verdict"], "".join(body))


def _ratio(value: float | None, digits: int = 2) -> str:
    return UNKNOWN if value is None else number(value, digits)


def _champions(found: Evolved) -> str:
    if not found.champions:
        return section("champions", "Champions", note("No genome traded enough without ruin."))
    parts = []
    for place, each in enumerate(found.champions, 1):
        rows = [
            (
                escape(gate.name),
                _ratio(gate.found, 3),
                escape(gate.needed),
                '<span class="gain">passes</span>'
                if gate.passed
                else '<span class="loss">fails</span>',
            )
            for gate in each.gates
        ]
        name = f"Champion {place}"
        said = "promoted to paper trading" if each.promoted else "not promoted"
        parts.append(f"<h3>{name}: {said}</h3><p><code>{escape(each.genome)}</code></p>")
        parts.append(table(["Gate", "Found", "Needed", ""], rows, name=f"Gates of {name}"))
    words = (
        "Every gate has to be passed. The held-back days are opened for those that pass the rest."
    )
    return section("champions", "Champions", *parts, note(words))


def _curves(found: Evolved) -> str:
    if not found.champions:
        return ""
    charts = []
    titles = (
        ("judged", "Days that no genome was chosen by"),
        ("held_back", "Days held back"),
        ("bred", "Days that were bred on: flattering by construction"),
    )
    for name, title in titles:
        drawn = [(place, getattr(each, name)) for place, each in enumerate(found.champions, 1)]
        shown = [(place, part) for place, part in drawn if part is not None]
        days = np.array(found.day_ns[name])
        if not shown:
            charts.append(note(f"{title}: not opened, for nothing passed the other gates."))
            continue
        times = np.append(days, days[-1] + 86_400 * 10**9)
        lines = [
            Line(f"Champion {place}", ("main", "ink", "reference")[min(place - 1, 2)],
                 times, _grown(part), "ratio")
            for place, part in shown[:3]
        ]  # fmt: skip
        rest = [_grown(part) for _, part in shown[3:]]
        charts.append(curves(title, lines, rest, times, label=title))
    rows = [
        (f"Champion {place}", *(cell for name in ("bred", "judged", "held_back")
                                for cell in _cells(getattr(each, name))))
        for place, each in enumerate(found.champions, 1)
    ]  # fmt: skip
    heads = [
        "",
        "Sharpe, bred",
        "Result",
        "Sharpe, judged",
        "Result",
        "Sharpe, held back",
        "Result",
    ]
    listed = table(heads, rows, name="Champions by part")
    return section("curves", "Equity over the first, net of all costs", *charts, listed)


def _cells(part: Shown | None) -> tuple[str, str]:
    if part is None:
        return UNKNOWN, UNKNOWN
    return _ratio(part.sharpe), signed(part.growth, percent(part.growth))


def _grown(part: Shown) -> Values:
    return np.concatenate(([1.0], np.cumprod(1 + np.array(part.returns))))


def _figures(found: Evolved) -> str:
    document = found.document
    rows = [
        ("Trials of this run", f"{document['trials']['run']:,}"),
        ("Trials ever on these symbols, charged for", f"{document['trials']['counted']:,}"),
        ("Sharpe that the best of them shows by luck", _ratio(document["sharpe_of_luck"])),
        ("Probability of overfitting (CSCV)", _ratio(document["overfitting_probability"], 3)),
        ("Sharpe of always trading the best until then", _ratio(document["walk_forward_sharpe"])),
    ]
    return section("figures", "All trials together", table(["", ""], rows, name="Of all trials"))


def _front(found: Evolved) -> str:
    state = found.state
    scores = [
        score for score in state.trials.values() if violation(score, state.settings.trips_min) == 0
    ]
    if len(scores) < 2:
        return ""
    lowest = float(np.quantile([score.robust for score in scores], SHOWN_FROM))
    scores = [score for score in scores if score.robust >= lowest]
    drawdown = np.array([score.drawdown for score in scores])
    robust = np.array([score.robust for score in scores]) * YEAR
    turnover = np.log10(np.maximum([score.turnover for score in scores], 1e-3))
    one = cloud("Robust Sharpe by drawdown", drawdown, robust, label="Robust Sharpe by drawdown")
    other = cloud(
        "Robust Sharpe by turnover a day, powers of ten",
        turnover,
        robust,
        label="Robust Sharpe by turnover",
    )
    words = (
        "Each point a genome that traded enough without ruin, where it was bred. Robust: the "
        "middle of the folds less one error, and of the weaker symbol. The weakest quarter is "
        "left out."
    )
    pair = f'<div class="pair">{one}{other}</div>'
    return section("front", "What was traded off", pair, note(words))


def _generations(found: Evolved) -> str:
    told = found.state.told
    best = [
        Bar(each.robust * YEAR, f"{each.number + 1}: {each.robust * YEAR:.2f}") for each in told
    ]
    lived = [
        Bar(float(each.survivors), f"{each.number + 1}: {each.survivors} of before")
        for each in told
    ]
    spread = [Bar(each.diversity, f"{each.number + 1}: {each.diversity:.3f}") for each in told]
    charts = [
        bar_chart("Best robust Sharpe, by generation", best, label="Best", words="ratio"),
        bar_chart("Survivors of earlier generations", lived, label="Survivors", words="count"),
        bar_chart("Diversity of behaviour", spread, label="Diversity", words="ratio"),
    ]
    return section("generations", "Generations", f'<div class="pair">{"".join(charts)}</div>')


def _family(found: Evolved) -> str:
    if not found.champions:
        return ""
    births = lineage(found.state, found.champions[0].genome)[:ANCESTORS_MAX]
    rows = [
        (
            f"{birth.generation + 1}",
            escape(birth.how),
            escape(birth.island),
            f"<code>{escape(birth.genome)}</code>",
        )
        for birth in births
    ]
    heads = ["Generation", "How", "Island", "Genome"]
    words = f"The first champion and its ancestors, at most {ANCESTORS_MAX}."
    listed = table(heads, rows, name="Ancestors", style="data")
    return section("family", "Family of the first champion", _tree(births), listed, note(words))


def _tree(births: list[Birth]) -> str:
    """Generations from left to right; a line from each parent to its child."""
    by_generation: dict[int, list[str]] = {}
    for birth in births:
        by_generation.setdefault(birth.generation, []).append(birth.genome)
    last = max(by_generation)
    places: dict[str, tuple[float, float]] = {}
    for generation, texts in by_generation.items():
        for row, text in enumerate(texts, 1):
            x = (generation + 0.5) / (last + 1) * BOX
            places[text] = (x, row / (len(texts) + 1) * BOX)
    drawn: list[str] = []
    for birth in births:
        x, y = places[birth.genome]
        drawn.extend(
            f'<path class="line reference" d="M{places[parent][0]:.1f} {places[parent][1]:.1f}'
            f'L{x:.1f} {y:.1f}"/>'
            for parent in birth.parents
            if parent in places
        )
    dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in places.values())
    drawn.append(f'<g class="many"><path class="dots main" d="{dots}"/></g>')
    marks = "".join(
        f'<span style="left:{(at + 0.5) / (last + 1) * 100:.2f}%">{at + 1}</span>'
        for at in sorted(by_generation)
    )
    shape = Frame(0, 1, 0.0, 1.0)
    box = plot("".join(drawn), shape, label="Family tree", height=260, words="count", bottom=marks)
    caption = '<figcaption><span class="title">Ancestors by generation</span></figcaption>'
    return f'<figure class="chart">{caption}{box}</figure>'


def _method(found: Evolved) -> str:
    document = found.document
    parts: dict[str, Any] = document["parts"]
    spans = "; ".join(
        f"{name.replace('_', ' ')}: {it['start'][:10]} to {it['end'][:10]}, {it['days']} days"
        for name, it in parts.items()
    )
    words = (
        f"{spans}; {document['embargo_days']} days left out between them and between the "
        f"{document['folds']} folds. Genomes are judged in Rust by the rules of the simulated "
        "exchange, with the same orders and equity as a backtest of the same text. The Sharpe "
        "ratio is deflated by every trial that the trial log has of these symbols, under the "
        "hypothesis that none has any skill. One seed, one result, whatever the number of workers."
    )
    return section("method", "How", note(words))
