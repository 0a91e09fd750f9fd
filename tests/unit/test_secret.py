# SPDX-License-Identifier: Apache-2.0
"""A secret shows itself to nobody who did not ask for it by name."""

from __future__ import annotations

import copy
import json
import pickle
import traceback

import pytest

from hean.secret import Secret

CANARY = "canary-7f3a-value"


@pytest.mark.control("C-12")
@pytest.mark.parametrize(
    "shown",
    [
        repr,
        str,
        lambda secret: f"{secret}",
        lambda secret: f"{secret:>40}".strip(),
        lambda secret: f"{secret!r}",
        lambda secret: "/".join([secret]),  # noqa: FLY002  # a way of its own
        lambda secret: str({"password": secret}["password"]),
        lambda secret: json.loads(json.dumps({"password": secret}))["password"],
        lambda secret: pickle.loads(pickle.dumps(secret)),
    ],
)
def test_every_way_of_showing_a_secret_gives_three_stars(shown):
    assert shown(Secret(CANARY)) == "***"


def test_an_uncaught_error_does_not_carry_the_value():
    try:
        int(Secret(CANARY))
    except ValueError as error:
        assert CANARY not in "".join(traceback.format_exception(error))


def test_only_reveal_gives_the_value_and_copies_keep_it():
    secret = Secret(CANARY)
    assert secret.reveal() == copy.copy(secret).reveal() == copy.deepcopy(secret).reveal() == CANARY


def test_secrets_are_equal_by_value_and_never_equal_to_text():
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert Secret("a") != "***"
