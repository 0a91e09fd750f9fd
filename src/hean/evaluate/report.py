# SPDX-License-Identifier: Apache-2.0
"""`report.py`: an evaluation on one page, in the clothes of a backtest's report: the verdict, the
gate line by line, what was tried, how it did where it was not chosen, and what chance, costs and
size do to it. Same evaluation, same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from hean.backtest.report import assumptions, data_files, page
from hean.backtest.report_charts import Bar, Line, bar_chart, histogram, number, percent
from hean.backtest.report_sections import money, note, section, signed, table
from hean.backtest.result import Values
from hean.backtest.stats import DAY_NS
from hean.evaluate.chance import BANDS
from hean.evaluate.evaluation import Evaluation
from hean.evaluate.report_drawings import bands, cloud, curves
from hean.quant.performance import DAYS_PER_YEAR

UNKNOWN = "\u2013"
TABLE_MAX = 100  # trials listed
Document = Mapping[str, Any]


def render(found: Evaluation) -> str:
    """The page of an evaluation."""
    document = found.document
    body = (
        _gate(document),
        _figures(document),
        _equity(found),
        _trials(found),
        _walk(found),
        _paths(found),
        _overfitting(found),
        _superiority(document),
        _stress(document),
        _capacity(document),
        _chance(found),
        _when(document),
        assumptions(document),
        data_files(document),
        _method(document),
    )
    symbols = ", ".join(document["symbols"])
    period = f"{document['start'][:10]} to {document['end'][:10]}"
    title = f"Evaluation of {document['strategy']} \u00b7 {symbols} \u00b7 {period}"
    return page(title, document["verdict"], "".join(body))


def _ratio(value: Any, digits: int = 2) -> str:
    return UNKNOWN if value is None else escape(value) if value == "inf" else number(value, digits)


def _share(value: Any, digits: int = 1) -> str:
    return UNKNOWN if value is None else percent(value, digits)


def _gate(document: Document) -> str:
    rows = [
        (
            escape(gate["name"]),
            _found(gate["value"]),
            escape(gate["needed"]),
            _passing(gate),
        )
        for gate in document["gates"]
    ]
    words = "The gate from backtest to paper trading. A line that cannot be computed fails."
    heads = ["", "Found", "Needed", ""]
    return section("gate", "The gate", table(heads, rows, name="Gate"), note(words))


def _found(value: Any) -> str:
    return _ratio(value, 0 if isinstance(value, int) else 3)


def _passing(gate: Mapping[str, Any]) -> str:
    said = (
        '<span class="gain">passes</span>'
        if gate["passed"]
        else f'<span class="loss">fails</span>: {escape(gate["why"])}'
    )
    return f'<div style="text-align:left;padding-left:2em">{said}</div>'


def _figures(document: Document) -> str:
    best, trials = document["best"], document["trials"]
    walked = document["walk_forward"]
    pairs = [
        ("Sharpe, in sample", _ratio(best["sharpe"]), f"error {_ratio(best['sharpe_error'])}"),
        (
            "Sharpe, walk-forward",
            _ratio(walked["sharpe"]),
            f"{walked['days']} days, not chosen on",
        ),
        (
            "Deflated Sharpe",
            _share(document["deflated_sharpe"]),
            f"{_share(document['deflated_sharpe_raw'])} if every trial counts",
        ),
        (
            "Luck would show",
            _ratio(best["sharpe_of_luck"]),
            f"different ideas: {trials['clusters']}, trials: {trials['counted']}",
        ),
        (
            "Overfitting",
            _share(document["overfitting"]["probability"]),
            "of choices end below the middle",
        ),
        (
            "Deepest fall, 1 in 20",
            _share(document["monte_carlo"]["drawdown"][-1] if document["monte_carlo"] else None),
            f"happened: {_share(best['max_drawdown_fraction'])}",
        ),
    ]
    tiles = "".join(
        f"<div><dt>{name}</dt><dd>{value}<small>{below}</small></dd></div>"
        for name, value, below in pairs
    )
    rest = {
        "Sharpe error with autocorrelation (HAC)": _ratio(best["sharpe_error_hac"]),
        "Sharpe ratio that allows for it (Lo)": _ratio(best["sharpe_lo"]),
        "Probability of a Sharpe ratio above 0": _share(best["probabilistic_sharpe"]),
        "Days needed to claim that": _ratio(best["min_track_record_days"], 0),
        "Days in the record": str(best["days"]),
        "CVaR 95 %, one day": _share(best["conditional_value_at_risk_95"], 2),
        "Trades": f"{best['trades']:,}",
        "Turnover, times the equity": _ratio(best["turnover"]),
        "Net result": signed(float(document["net_pnl"]), money(float(document["net_pnl"]))),
        "Fees": money(float(best["costs"]["fees"])),
        "Slippage": money(float(best["costs"]["slippage_cost"])),
        "Funding paid": money(float(best["costs"]["funding"])),
    }
    listed = "".join(f"<div><dt>{key}</dt><dd>{value}</dd></div>" for key, value in rest.items())
    words = (
        "The best trial by its Sharpe ratio over the whole period, all costs paid. Ratios are "
        "annual, from daily returns in UTC. A dash: cannot be said."
    )
    return section(
        "figures",
        "The best trial",
        f'<dl class="tiles">{tiles}</dl><dl class="pairs">{listed}</dl>',
        note(words),
    )


def _grown(returns: Values) -> Values:
    return np.concatenate(([1.0], np.cumprod(1 + returns)))


def _equity(found: Evaluation) -> str:
    account = float(found.document["initial_equity"])
    best = found.trials[found.best]
    days = found.first_day + np.arange(len(found.returns) + 1)
    times = days * DAY_NS
    start = found.walked.start
    walked = _grown(found.walked.returns) * account
    held = _grown(best.market * float(best.exposure.mean())) * account
    lines = [
        Line("Best trial, chosen afterwards", "main", times, _grown(best.returns) * account),
        Line("Walk-forward", "ink", times[start : start + walked.size], walked),
        Line("Holding as much", "reference", times, held),
    ]
    others = [
        _grown(trial.returns) * account for n, trial in enumerate(found.trials) if n != found.best
    ]
    chart = curves("Equity, end of each day", lines, others, times, label="Equity of all trials")
    words = (
        "Thin: the other trials. Walk-forward begins with the account after the first block and "
        "trades each block with what was best before it; its position at a change is carried over."
    )
    return section("equity", "Equity", chart, note(words))


def _varied(found: Evaluation) -> list[str]:
    """Parameters that differ between trials."""
    return list(found.document["grid"])


def _setting(params: Mapping[str, Any], names: Sequence[str]) -> str:
    return escape(", ".join(f"{name} = {params[name]}" for name in names)) or "defaults"


def _trials(found: Evaluation) -> str:
    names, listed = _varied(found), found.document["trials"]
    rows = [
        (
            _setting(trial["params"], names) + (" <b>best</b>" if n == found.best else ""),
            _ratio(trial["sharpe"]),
            signed(float(trial["net_pnl"]), money(float(trial["net_pnl"]))),
            _share(trial["max_drawdown_fraction"]),
            f"{trial['trades']:,}",
            _ratio(trial["turnover"]),
            money(float(trial["fees"])),
        )
        for n, trial in enumerate(listed["table"][:TABLE_MAX])
    ]
    heads = ["Trial", "Sharpe", "Net result", "Drawdown", "Trades", "Turnover", "Fees"]
    words = (
        f"{listed['grid']:,} trials of this grid; {listed['counted']:,} different ones have looked "
        f"at these symbols so far. Different ideas among them, by daily results: "
        f"{listed['clusters']:,}."
    )
    if listed["grid"] > TABLE_MAX:
        words += f" The first {TABLE_MAX} are listed."
    if listed["problems"]:
        words += f" The log is not whole: {'; '.join(listed['problems'][:5])}."
    return section("trials", "Trials", table(heads, rows, name="Trials"), note(words))


def _walk(found: Evaluation) -> str:
    names, start = _varied(found), found.first_day

    def day(row: int) -> str:
        return str(np.datetime64(start + row, "D"))

    rows = [
        (
            f"{day(step['tested'][0])} to {day(step['tested'][1] - 1)}",
            f"{day(step['learned'][0])} to {day(step['learned'][1] - 1)}",
            _setting(step["params"], names),
            _ratio(step["sharpe_before"]),
            _ratio(step["sharpe_after"]),
        )
        for step in found.document["walk_forward"]["steps"]
    ]
    heads = ["Traded", "Chosen on", "Chosen", "Sharpe before", "Sharpe after"]
    walked = found.document["walk_forward"]
    words = (
        f"{_share(walked['return'])} in {walked['days']} days, deepest fall "
        f"{_share(walked['max_drawdown_fraction'])}, probability of a Sharpe ratio above 0: "
        f"{_share(walked['probabilistic_sharpe'])}."
    )
    return section("walk", "Walk-forward", table(heads, rows, name="Walk-forward"), note(words))


def _paths(found: Evaluation) -> str:
    cpcv = found.document["cpcv"]
    account = float(found.document["initial_equity"])
    times = (found.first_day + np.arange(len(found.returns) + 1)) * DAY_NS
    routes = [_grown(route) * account for route in found.routes]
    middle = np.median(routes, axis=0)
    lines = [Line("Median of the paths", "main", times, middle)]
    chart = curves("Equity of each path", lines, routes, times, label="Cross-validated paths")
    ratios = ", ".join(_ratio(ratio) for ratio in cpcv["sharpe"])
    words = (
        f"{cpcv['paths']} histories put together from blocks that were traded with what was best "
        f"outside of them. Sharpe ratios: {ratios}; median {_ratio(cpcv['sharpe_median'])}. "
        f"{_share(cpcv['positive_years'], 0)} of their years earn."
    )
    return section("paths", "Combinatorial cross-validation", chart, note(words))


def _overfitting(found: Evaluation) -> str:
    given, title = found.document["overfitting"], "Overfitting"
    if found.overfitting is None:
        return section("overfitting", title, note(f"Not computed: {given['reason']}."))
    root = DAYS_PER_YEAR**0.5
    logits = histogram(
        "Rank of the best outside of its sample, as a logit",
        found.overfitting.logits,
        label="Histogram of logits",
        words="ratio",
    )
    points = cloud(
        "Sharpe ratio where it was chosen (across) and elsewhere (up)",
        found.overfitting.inside * root,
        found.overfitting.outside * root,
        label="In sample against out of sample",
    )
    words = (
        f"In {_share(given['probability'])} of {given['choices']:,} ways to split the record in "
        f"half, the best of one half is below the middle of the other; in "
        f"{_share(given['loss_probability'])} it loses there. Slope "
        f"{_ratio(given['degradation_slope'])}: below zero, what looks better does worse."
    )
    return section("overfitting", title, f'<div class="pair">{logits}{points}</div>', note(words))


def _superiority(document: Document) -> str:
    spa = document["spa"]
    rows = [
        (
            name,
            _ratio(each["statistic"]),
            _ratio(each["lower"], 3),
            _ratio(each["consistent"], 3),
            _ratio(each["upper"], 3),
            _ratio(each["block"], 1),
        )
        for name, each in (
            ("Doing nothing", spa["nothing"]),
            ("Holding as much", spa["holding"]),
        )
    ]
    heads = ["Against", "Statistic", "p, lower", "p, consistent", "p, upper", "Block, days"]
    words = (
        "Hansen's test, studentised: how often would the best of as many useless trials look as "
        f"good? White's reality check against doing nothing: p = {_ratio(spa['reality'], 3)}."
    )
    return section(
        "spa", "Superior predictive ability", table(heads, rows, name="SPA"), note(words)
    )


def _stress(document: Document) -> str:
    stress = document["stress"]
    charts = "".join(
        bar_chart(
            f"Net result by {name}",
            [
                Bar(row["result"], f"x {row['factor']:g}: {percent(row['result'])}",
                    f"\u00d7 {row['factor']:g}")
                for row in stress[name]
            ],
            label=f"Net result by {name}",
            words="percent",
            height=170,
        )
        for name in ("fees", "slippage", "latency")
    )  # fmt: skip
    words = (
        f"Of the account over the period. At 1.5 x all costs: {_share(stress['dear_result'])}; at "
        f"1.5 x fees and 3 x latency: {_share(stress['harsh_result'])}. On bars a latency far "
        "below a bar changes little, and where a book is recorded slippage is the book's."
    )
    return section("stress", "Dearer and slower", f'<div class="pair">{charts}</div>', note(words))


def _capacity(document: Document) -> str:
    given = document["capacity"]
    chart = bar_chart(
        "Sharpe ratio by size of the account",
        [
            Bar(row["sharpe"] or 0.0, f"{row['account']:,.0f}: {_ratio(row['sharpe'])}",
                _short(row["account"]))
            for row in given["sizes"]
        ],
        label="Sharpe ratio by size of the account",
        words="ratio",
    )  # fmt: skip
    match given["account"]:
        case None:
            words = "The Sharpe ratio is not above zero, so there is no half of it."
        case "inf":
            words = "The Sharpe ratio is still above its half at the largest account tried."
        case account:
            words = f"The Sharpe ratio halves at an account of {account:,.0f}."
    words += " Impact by the model of the simulated exchange, which knows no other trader's answer."
    return section("capacity", "Capacity", chart, note(words))


def _short(amount: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if amount >= size:
            return f"{amount / size:.3g}{unit}"
    return f"{amount:.3g}"


def _chance(found: Evaluation) -> str:
    given = found.document["monte_carlo"]
    if found.bands is None or given is None:
        return section("chance", "Other luck", note("Fewer than two round trips."))
    real = _grown(found.trials[found.best].trades)[1:]
    chart = bands(
        "Equity over the initial one, by number of trades",
        found.bands.places,
        np.array(found.bands.growth),
        real,
        label="Bands of resampled trades",
    )
    rows = [
        (words, *(_share(value) for value in given[name]))
        for name, words in (
            ("drawdown_shuffled", "Deepest fall, same trades in another order"),
            ("drawdown", "Deepest fall, trades drawn again"),
            ("final", "Final result, trades drawn again"),
        )
    ]
    heads = ["", *(f"{share:.0%}" for share in BANDS)]
    words = (
        f"{given['paths']:,} drawings. Deepest fall that happened, from trade to trade: "
        f"{_share(given['happened'])}. {_share(given['loss'])} of drawings lose."
    )
    listed = table(heads, rows, name="Quantiles of what could have been")
    return section("chance", "Other luck", chart, listed, note(words))


def _when(document: Document) -> str:
    def rows(name: str, key: str) -> str:
        lines = [
            (
                str(row[key]),
                str(row["days"]),
                signed(row["return"], percent(row["return"])),
                _ratio(row["sharpe"]),
                _share(row["max_drawdown_fraction"]),
            )
            for row in document[name]
        ]
        heads = [key.capitalize(), "Days", "Return", "Sharpe", "Drawdown"]
        return f"<div>{table(heads, lines, name=f'By {key}')}</div>"

    both = f'<div class="pair">{rows("years", "year")}{rows("regimes", "regime")}</div>'
    words = "Regimes: thirds of the market's volatility over the 20 days before each day."
    return section("when", "When it earned", both, note(words))


def _method(document: Document) -> str:
    words = (
        f"All trials are played once with the engine that trades; {document['folds']} folds are "
        f"cut out of their daily net results, with {document['embargo_days']} days of embargo. "
        "Every trial on these symbols is kept in the trial log of the data directory and counts "
        "for ever; plain backtests are not counted. State hash of the best run: "
        f"{document['state_hash']}."
    )
    return section("method", "How", note(words))
