# SPDX-License-Identifier: Apache-2.0
"""`one_line.py`: words of strangers — a venue, a person in a hurry, whoever sends a request — as
they may stand in a log, on a terminal and in a table. It changes them and refuses nothing: a stop
of trading counts however its reason is written.
"""

from __future__ import annotations


def one_line(text: str, length_max: int) -> str:
    """*text* in one line of at most *length_max* characters: blanks and line ends are one blank;
    what cannot be printed is `?`, so no control character moves a cursor, and none of the marks
    that hide, or turn the direction of writing, makes it read as something else.
    """
    words = " ".join(text.split())
    return "".join(each if each.isprintable() else "?" for each in words[:length_max])
