# SPDX-License-Identifier: Apache-2.0
"""Whose order is it? Judged by the client id alone, told once, with what a person has to do."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hean.core.module import IdSequence
from hean.core.types import Command, Health, Payload, Side
from hean.venues.reports import Execution, OrderReport, Status
from hean.venues.strangers import Kind, Strangers, kind_of

EPOCH = 1_700_000_000


def made_in(epoch: int) -> str:
    return IdSequence(epoch, 36**7).next_id("test")


@pytest.mark.parametrize(
    ("client_id", "kind"),
    [
        (made_in(EPOCH), Kind.OWN),
        (made_in(EPOCH + 1), Kind.NEWER),
        (made_in(EPOCH * 36), Kind.NEWER),
        (made_in(EPOCH - 1), Kind.OLDER),
        (made_in(0), Kind.OLDER),
        ("", Kind.EXTERNAL),
        ("web_kx81", Kind.EXTERNAL),
        ("autoclose-1700", Kind.EXTERNAL),
        ("h", Kind.EXTERNAL),
        ("h1-test", Kind.EXTERNAL),
        ("h1-tes-1", Kind.EXTERNAL),
        ("h1-tests-1", Kind.EXTERNAL),
        ("H1-test-1", Kind.EXTERNAL),
        ("h1-test-1 ", Kind.EXTERNAL),
        ("xh1-test-1", Kind.EXTERNAL),
        ("h1-test-1\n", Kind.EXTERNAL),
        ("h" + "9" * 30 + "-test-1", Kind.EXTERNAL),
    ],
)
def test_an_order_is_judged_by_the_epoch_in_its_client_id(client_id, kind):
    assert kind_of(client_id, EPOCH) is kind


def test_without_an_epoch_of_our_own_nothing_is_ours():
    assert kind_of(made_in(EPOCH), None) is Kind.EXTERNAL


class Met:
    """Strangers of an account, and what is told about them."""

    def __init__(self, *known: str) -> None:
        self.facts: list[Payload] = []
        self.strangers = Strangers(
            "venue", remembers=lambda order_id: order_id in known, emit=self.facts.append
        )
        self.strangers.epoch = EPOCH

    def see(self, client_id: str, exchange_id: str = "77") -> None:
        zero = Decimal(0)
        self.strangers.met(
            OrderReport("BTCUSDT", client_id, exchange_id, Status.OPEN, Decimal(1), zero, "New")
        )

    def kills(self) -> list[dict[str, object]]:
        return [fact.arguments for fact in self.facts if isinstance(fact, Command)]


@pytest.mark.parametrize(
    ("epoch", "level", "is_final", "what_to_do"),
    [
        (EPOCH + 1, "LOCKED", True, "stop it"),
        (EPOCH, "LOCKED", False, "revoke"),
        (EPOCH - 1, "HALT_NEW", False, "cancel it at the venue"),
    ],
)
def test_an_order_of_hean_s_form_stops_us_and_says_what_to_do(epoch, level, is_final, what_to_do):
    met = Met()
    met.see(made_in(epoch))
    met.see(made_in(epoch))
    (kill,) = met.kills()
    assert (kill["level"], kill["is_final"]) == (level, is_final)
    assert what_to_do in kill["reason"]
    assert made_in(epoch) in kill["reason"]


@pytest.mark.parametrize(
    ("epoch", "says"), [(EPOCH + 1, "two run on this account"), (EPOCH, ""), (EPOCH - 1, "")]
)
def test_only_a_newer_process_ends_our_right_to_send(epoch, says):
    met = Met()
    met.see(made_in(epoch))
    assert says in met.strangers.superseded
    assert bool(met.strangers.superseded) == bool(says)


@pytest.mark.parametrize("epoch", [EPOCH, EPOCH - 1])
def test_what_the_journal_remembers_is_no_stranger(epoch):
    met = Met(made_in(epoch))
    met.see(made_in(epoch))
    assert met.facts == []


def test_a_newer_process_is_one_though_our_journal_knows_the_id():
    """A journal that was copied to another machine and went on there."""
    met = Met(made_in(EPOCH + 1))
    met.see(made_in(EPOCH + 1))
    assert met.strangers.superseded != ""


def test_somebody_s_own_orders_are_noted_once_each_and_stop_nothing():
    met = Met()
    for exchange_id in ("77", "78", "77"):
        met.see("", exchange_id)
    assert met.kills() == []
    notes = [fact for fact in met.facts if isinstance(fact, Health)]
    assert [note.extra["exchange_order_id"] for note in notes] == ["77", "78"]
    assert len({note.component for note in notes}) == 2  # health keeps the newest by component
    assert {note.state for note in notes} == {"EXTERNAL"}


def test_an_execution_betrays_an_order_that_no_list_has_shown():
    met = Met()
    one = Decimal(1)
    piece = Execution(
        "BTCUSDT", made_in(EPOCH), "77", "x1", Side.BUY, one, one, one, "USDT", False, 1
    )
    met.strangers.met(piece)
    assert [kill["level"] for kill in met.kills()] == ["LOCKED"]
