# SPDX-License-Identifier: Apache-2.0
"""Words of strangers, whatever they are: one line that can be printed, and words that were so
before stay what they are.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hean.core.one_line import one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the feed is wrong", "the feed is wrong"),
        ("Kurs f\u00e4llt \u2014 \u0446\u0435\u043d\u0430 \u4ef7\u683c \U0001f525",
         "Kurs f\u00e4llt \u2014 \u0446\u0435\u043d\u0430 \u4ef7\u683c \U0001f525"),
        (" a\r\n\tb\u2028c\u00a0 ", "a b c"),
        ("\x1b[2J\x07\x00\x7f\x9b", "?[2J????"),
        ("\u202eli\u2066v\u200be\ufeff\u00ad\u061c", "?li?v?e???"),
        ("\U000e0041\ud800\ue000", "???"),
    ],
    ids=ascii,
)  # fmt: skip
def test_it_shows_what_can_be_shown(text: str, shown: str) -> None:
    assert one_line(text, 500) == shown


@given(st.text(st.characters()), st.integers(0, 50))
def test_it_is_always_one_printable_line(text: str, length_max: int) -> None:
    shown = one_line(text, length_max)
    assert shown.isprintable() and len(shown) <= length_max
    assert one_line(shown, length_max) == shown.strip()
    shown.encode()
