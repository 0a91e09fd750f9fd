# SPDX-License-Identifier: Apache-2.0
"""Write `.env.example`, `env.dev.example` and `env.prod.example` from the table of settings: every
variable once, with its meaning, unit and default. A test compares them with the table.

    PYTHONPATH=src python scripts/write_env_examples.py
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import wrap

from hean.config_rows import Row
from hean.config_table import ROWS

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 98

HEAD = """\
# SPDX-License-Identifier: Apache-2.0
# {first}
# Made by scripts/write_env_examples.py from the table of settings; what is not set has the default
# that stands behind its #. A name nobody knows refuses to start. `hean settings` shows what counts.
# A secret belongs in a file of mode 0600 that NAME_FILE names. Nothing here makes a session live:
# LIVE_CONFIRM counts in the environment only, dry_run = false in the configuration file only.
"""

SAFE = {"DRY_RUN": "true"}
EXAMPLES: dict[str, tuple[str, Mapping[str, str]]] = {
    ".env.example": (
        "Copy to .env: read by every hean command in this folder, and by Docker Compose.",
        SAFE,
    ),
    "env.dev.example": (
        "Development: cp env.dev.example .env.dev. Small positions, every word of the logs.",
        SAFE | {"LOG_LEVEL": "DEBUG", "RUST_LOG": "debug", "MAX_POSITION_SIZE": "1000"},
    ),
    "env.prod.example": (
        "Production: cp env.prod.example .env.prod; chmod 600 .env.prod. Still dry.",
        SAFE | {"LOG_LEVEL": "INFO", "RUST_LOG": "info", "MAX_POSITION_SIZE": "50000"},
    ),
}
"""What each file says first, and the variables it sets."""


def example(name: str) -> str:
    """The text of one of the files."""
    first, given = EXAMPLES[name]
    parts = [HEAD.format(first=first)]
    for row in ROWS.values():
        if row.variable is None or not row.in_dotenv:
            continue
        unit = f" ({row.unit})" if row.unit else ""
        meaning = wrap(f"{row.meaning.rstrip('.')}{unit}.", WIDTH)
        lines = [f"# {line}" for line in meaning]
        lines.append(_line(row, given.get(row.variable)))
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _line(row: Row, given: str | None) -> str:
    if given is not None:
        return f"{row.variable}={given}"
    if row.is_secret:
        return f"#{row.variable}_FILE="
    return f"#{row.variable}={_text(row.default)}"


def _text(value: object) -> str:
    """A default as it is written in a variable; nothing for one that is not set."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(map(str, value))
    return str(value)


def main() -> None:
    """Write all of them."""
    for name in EXAMPLES:
        (ROOT / name).write_text(example(name), encoding="utf-8")


if __name__ == "__main__":
    main()
