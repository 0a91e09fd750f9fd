# SPDX-License-Identifier: Apache-2.0
"""`prometheus.py`: a question to a Prometheus server over its HTTP API, as rows of time, labels and
value. The address is the user's; redirects are not followed, time and size of the answer are
bounded.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from typing import Any, NoReturn

import msgspec

from hean.errors import EnvironmentFault, ParameterInvalid

TIMEOUT_S = 5.0
ANSWER_BYTES_MAX = 5_000_000
QUERY_LENGTH_MAX = 5_000
POINTS = 300  # of each series
Row = tuple[str, str, float]
COLUMNS = ("ts", "series", "value")


class _Series(msgspec.Struct):
    metric: dict[str, str]
    values: list[tuple[float, str]]


class _Data(msgspec.Struct):
    result: list[_Series]


class _Answer(msgspec.Struct):
    status: str
    data: _Data | None = None
    error: str = ""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """None is followed."""


_OPENER = urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler({}))


def ask_prometheus(base: str, query: str, *, seconds: float, until_s: float) -> list[Row]:
    """What *query* was over the last *seconds* before *until_s* (Unix time).

    *Raises*: `ParameterInvalid` for a query that Prometheus does not understand,
    `EnvironmentFault` where there is none.
    """
    if not query.strip() or len(query) > QUERY_LENGTH_MAX:
        raise ParameterInvalid(f"a query has 1 to {QUERY_LENGTH_MAX:,} characters.")
    asked = {
        "query": query,
        "start": until_s - seconds,
        "end": until_s,
        "step": max(seconds / POINTS, 1.0),
    }
    body = urllib.parse.urlencode(asked).encode()
    try:
        with _OPENER.open(f"{base.rstrip('/')}/api/v1/query_range", body, TIMEOUT_S) as answer:
            content = answer.read(ANSWER_BYTES_MAX + 1)
    except urllib.error.HTTPError as error:
        with error:
            _refused(base, error.code, error.read(ANSWER_BYTES_MAX))
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise EnvironmentFault(f"no Prometheus at {base} ({reason}); see --prometheus.") from None
    if len(content) > ANSWER_BYTES_MAX:
        raise ParameterInvalid("the answer is too long; sum over fewer labels, or look back less.")
    return _rows(base, content)


def _rows(base: str, content: bytes) -> list[Row]:
    try:
        found = msgspec.json.decode(content, type=_Answer)
    except msgspec.MsgspecError:
        raise EnvironmentFault(f"what answers at {base} is no Prometheus.") from None
    series = found.data.result if found.data is not None else []
    return [
        (f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M:%S}", _name(each.metric), float(value))
        for each in series
        for at_s, value in each.values
    ]


def _refused(base: str, status: int, content: bytes) -> NoReturn:
    try:
        found = msgspec.json.decode(content, type=_Answer)
    except msgspec.MsgspecError:
        raise EnvironmentFault(f"{base} answers {status}; is that a Prometheus?") from None
    raise ParameterInvalid(f"Prometheus: {found.error[:500]}.")


def _name(labels: dict[str, str]) -> str:
    """Labels as Prometheus writes them, without those that say where it was scraped."""
    shown = {k: v for k, v in labels.items() if k not in ("__name__", "instance", "job")}
    inside = ", ".join(f"{key}={value}" for key, value in sorted(shown.items()))
    return f"{labels.get('__name__', '')}{{{inside}}}" if inside else labels.get("__name__", "{}")
