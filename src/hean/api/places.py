# SPDX-License-Identifier: Apache-2.0
"""`places.py`: who makes room when all connections are taken. A newcomer is never kept waiting: it
may be the one who stops trading. Whoever has not said yet what they want, whole, goes first, then
who has been answered and only sits there; an order under way and a stream of somebody known never.
Of several the crowd goes first, those of the peer who holds the most, and of these the oldest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

CONNECTIONS_MAX = 200


class Rank(IntEnum):
    """What somebody's place is worth; the least goes first."""

    UNSAID = 0  # half a head, half a body, a socket of a stranger
    ANSWERED = 1  # nothing is due, or the answer is not taken
    AT_WORK = 2  # never goes


class Claim(NamedTuple):
    """What speaks for a place. *since_s*: steady seconds."""

    rank: Rank
    peer: str
    since_s: float


class Holder(Protocol):
    """A connection."""

    has_yielded: bool

    def claim(self) -> Claim: ...
    def make_way(self) -> None:
        """Be gone at once, without a word."""
        ...


def make_room(connections: Collection[Any], newcomer: Holder) -> bool:
    """Have one of the connections go, each a `Holder`, if there are too many.

    *Returns*: whether the newcomer may stay.
    """
    if len(connections) <= CONNECTIONS_MAX:
        return True
    holders: list[Holder] = [each for each in connections if not each.has_yielded]
    if len(holders) <= CONNECTIONS_MAX:
        return True
    claims = [(each.claim(), each) for each in holders if each is not newcomer]
    crowd = Counter((claim.rank, claim.peer) for claim, _ in claims)

    def order(pair: tuple[Claim, Holder]) -> tuple[int, int, float]:
        claim, _ = pair
        return claim.rank, -crowd[claim.rank, claim.peer], claim.since_s

    claim, first = min(claims, key=order)
    if claim.rank is Rank.AT_WORK:
        return False
    first.has_yielded = True
    first.make_way()
    return True
