# SPDX-License-Identifier: Apache-2.0
"""Who makes room when all connections are taken, without a socket."""

from __future__ import annotations

import pytest

from hean.api.places import CONNECTIONS_MAX, Claim, Rank, make_room

pytestmark = pytest.mark.control("C-16")


class Place:
    """A connection that has a claim and can go."""

    def __init__(self, rank: Rank, since_s: float, peer: str = "a") -> None:
        self.has_yielded = False
        self._claim = Claim(rank, peer, since_s)

    def claim(self) -> Claim:
        return self._claim

    def make_way(self) -> None:
        assert self.has_yielded


def taken(*odd: Place, rank: Rank, peer: str = "a") -> list[Place]:
    """All places: the odd ones, and others that came one after the other."""
    rest = CONNECTIONS_MAX - len(odd)
    return [*odd, *(Place(rank, 100.0 + number, peer) for number in range(rest))]


def gone(places: list[Place]) -> list[int]:
    """The numbers of those who had to go."""
    return [number for number, each in enumerate(places) if each.has_yielded]


def test_there_is_room_for_the_last_one() -> None:
    places = taken(rank=Rank.UNSAID)
    assert make_room(places, places[-1]) and gone(places) == []


def test_who_has_not_said_what_they_want_goes_before_who_was_answered() -> None:
    page, newcomer = Place(Rank.ANSWERED, 1.0), Place(Rank.UNSAID, 999.0)
    places = [*taken(page, rank=Rank.UNSAID), newcomer]
    for _ in range(3):
        assert make_room([*places, *([Place(Rank.UNSAID, 999.0)] * len(gone(places)))], newcomer)
    assert gone(places) == [1, 2, 3]


def test_of_two_the_one_who_was_answered_longer_ago_goes() -> None:
    newcomer = Place(Rank.UNSAID, 999.0)
    places = [*taken(Place(Rank.AT_WORK, 1.0), rank=Rank.ANSWERED), newcomer]
    assert make_room(places, newcomer) and gone(places) == [1]


def test_a_crowd_of_one_peer_costs_nobody_else_a_place() -> None:
    stranger, newcomer = Place(Rank.UNSAID, 1.0, "b"), Place(Rank.UNSAID, 999.0, "b")
    places = [*taken(stranger, rank=Rank.UNSAID), newcomer]
    assert make_room(places, newcomer) and gone(places) == [1]


def test_what_is_under_way_is_never_cut_off() -> None:
    newcomer = Place(Rank.UNSAID, 999.0)
    places = [*taken(rank=Rank.AT_WORK), newcomer]
    assert not make_room(places, newcomer) and gone(places) == []
