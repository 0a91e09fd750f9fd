# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: RUF009  # the calls make the fields themselves, once
"""`config_alerts.py`: the table `[alerts]` of the file: where alerts go and how often. An address
of a destination holds a password or a token, so each is a secret: from a variable, or from a file
of mode 0600 that `..._FILE`, or `slack_file` in the table, names.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hean.config_kinds import Amount, Hidden, OneOf, Truth, Whole
from hean.config_rows import hidden, shown
from hean.secret import Secret

DESTINATIONS = ("slack", "telegram", "pagerduty", "mail", "webhook", "other")


def _address(name: str, meaning: str, *schemes: str) -> Any:
    variable = f"HEAN_ALERTS_{name.upper()}"
    return hidden(Hidden(schemes=schemes), None, meaning, variable=variable)


def _least(default: str) -> Any:
    return shown(OneOf("info", "warning", "critical"), default, "Least severity that goes there.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSection:
    """`[alerts]`: who is called, and when."""

    on: bool = shown(Truth(), True, "Keep alerts, and send them where a destination is set.")
    slack: Secret | None = _address("slack", "slack://TokenA/TokenB/TokenC.", "slack")
    slack_from: str = _least("warning")
    telegram: Secret | None = _address("telegram", "tgram://BotToken/ChatId.", "tgram")
    telegram_from: str = _least("warning")
    pagerduty: Secret | None = _address(
        "pagerduty", "pagerduty://IntegrationKey@ApiKey.", "pagerduty"
    )
    pagerduty_from: str = _least("critical")
    mail: Secret | None = _address(
        "mail", "mailtos://user:password@host?to=address.", "mailtos", "mailto"
    )
    mail_from: str = _least("info")
    webhook: Secret | None = _address(
        "webhook", "jsons://host/path; json:// without TLS.", "jsons", "json"
    )
    webhook_from: str = _least("info")
    other: Secret | None = _address("other", "Any other address that Apprise knows.")
    other_from: str = _least("warning")
    per_minute: int = shown(
        Whole(1, 600), 10, "More than so many to a destination are told together.", unit="messages"
    )
    digest_s: Decimal = shown(
        Amount(Decimal(1), Decimal(86_400)), Decimal(900), "What is not urgent is told together.",
        unit="s",
    )  # fmt: skip
    again_s: Decimal = shown(
        Amount(Decimal(0), Decimal(86_400)), Decimal(300),
        "Until the same matter is told again.", unit="s",
    )  # fmt: skip
    silent_s: Decimal = shown(
        Amount(Decimal(5), Decimal(86_400)), Decimal(60), "Until silence is an alert.",
        unit="s",
    )  # fmt: skip
