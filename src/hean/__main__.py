# SPDX-License-Identifier: Apache-2.0
"""`python -m hean`, and the installed command `hean`. It is small so that a Ctrl-C during the
loading of everything else ends as quietly as a later one; and it sees to it that any terminal can
show what is printed.
"""

from __future__ import annotations

import sys
from contextlib import suppress

INTERRUPTED = 130


def main() -> None:
    """Entry point of the installed command."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets its number instead of an error.
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # as above
    try:
        from hean.cli import main as run  # loads everything; see above

        run()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
