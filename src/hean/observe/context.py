# SPDX-License-Identifier: Apache-2.0
"""`context.py`: on whose behalf something is done. While a request is being answered, everything
that is logged, by whoever and in whatever form, bears its ids: `request_id`, which the answer has
too, `trace_id`, which the caller may bring along from further out, and `who` asks. Tasks that a
request starts have its ids as well.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

NOBODY: Mapping[str, str] = {}
TRACE_PARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
"""Of the header `traceparent`, as W3C has it."""
NO_TRACE = b"0" * 32

_fields: ContextVar[Mapping[str, str]] = ContextVar("hean_context", default=NOBODY)
_bare = logging.getLogRecordFactory()


def fields() -> Mapping[str, str]:
    """What is known of the request at work here; nothing outside of one."""
    return _fields.get()


@contextmanager
def at_work(**known: str) -> Iterator[None]:
    """Everything in here is done for this."""
    token = _fields.set({**_fields.get(), **known})
    try:
        yield
    finally:
        _fields.reset(token)


def trace_of(header: bytes | None) -> str:
    """The trace id that a caller brings; nothing if there is none that counts."""
    found = TRACE_PARENT.fullmatch(header) if header is not None and len(header) <= 512 else None
    return found[1].decode() if found is not None and found[1] != NO_TRACE else ""


def install() -> None:
    """Have every log record bear the ids. Safe to call twice."""
    logging.setLogRecordFactory(_made)


def _made(*given: Any, **named: Any) -> logging.LogRecord:
    record = _bare(*given, **named)
    for name, value in _fields.get().items():
        setattr(record, name, value)
    return record
