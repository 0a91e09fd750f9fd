# SPDX-License-Identifier: Apache-2.0
"""`secret.py`: text that must not be seen. To everybody who prints, formats, encodes or pickles
it, a `Secret` is the three characters `***`; the value comes out of `reveal` alone, so that every
place that uses it can be found by that word. It hides nothing from a debugger.
"""

from __future__ import annotations

import hmac
from typing import Self

MASK = "***"  # always three, so that the length is not told


class Secret(str):
    """A password, key or token. As a `str` it is its mask, which is what JSON encoders write."""

    __slots__ = ("_value",)
    _value: str

    def __new__(cls, value: str) -> Self:
        """Hide *value*."""
        secret = super().__new__(cls, MASK)
        secret._value = value
        return secret

    def reveal(self) -> str:
        """The text itself. Do not keep it longer than the call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return False
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(MASK)

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (MASK,)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self
