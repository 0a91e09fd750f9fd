# SPDX-License-Identifier: Apache-2.0
"""The house rules, held over every file of the project, and each rule held to a bad example.

The rules are in `tidy_rules.py`. No file of HEAN is imported, so a broken file cannot hide.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import tidy_rules
from tidy_rules import RULES, Source

ROOT = Path(__file__).resolve().parent.parent
READ = {".py", ".pyi", ".rs", ".sh", ".md", ".toml", ".txt", ".in", ".yml", ".yaml", ".json", ""}
DOCSTRINGS_MIN = 0.95
KEEP_HIDDEN = {".ci", ".gitignore", ".gitattributes"}
BUILT = {"target", "dist", "node_modules", "__pycache__"}


def project_files() -> Iterator[Source]:
    """Every text file that belongs to the project; environments, builds and caches do not."""
    for folder, folders, files in os.walk(ROOT):
        hidden = (name for name in folders if name.startswith(".") and name not in KEEP_HIDDEN)
        outside = BUILT | set(hidden)
        folders[:] = sorted(set(folders) - outside)
        for name in sorted(files):
            path = Path(folder, name)
            wanted = path.suffix in READ and (name[0] != "." or name in KEEP_HIDDEN)
            if wanted and not path.is_symlink():
                yield Source(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    """The project's files, read once."""
    return list(project_files())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_project_keeps_rule(rule, sources):
    broken = [f"{s.path}:{line}: {what}" for s in sources for line, what in rule(s)]
    assert not broken, "\n" + "\n".join(broken)


def test_nineteen_of_twenty_public_names_are_documented(sources):
    missing, total = [], 0
    for source in sources:
        if source.inside and source.suffix == ".py":
            found, count = tidy_rules.undocumented(source)
            missing += [f"{source.path}:{line}: {what}" for line, what in found]
            total += count
    assert len(missing) <= total * (1 - DOCSTRINGS_MIN), "\n" + "\n".join(missing)


BAD = [
    ("sizes", "a.py", "\n" * 501),
    ("sizes", "a.rs", "x" * 101),
    ("function_lengths", "a.py", "def f():\n" + "    x = 1\n" * 60),
    ("function_lengths", "a.rs", "fn f(a: [u8; 2]) {\n" + "    x();\n" * 60 + "}"),
    ("function_lengths", "crates/py/src/a.rs", "fn f() {\n" + "    x();\n" * 41 + "}"),
    (
        "nesting",
        "a.py",
        "def f():\n if a:\n  for b in c:\n   if d:\n    if e:\n     if g:\n      h",
    ),
    ("headers", "a.py", '"""What it is."""\n'),
    ("headers", "a.rs", "// SPDX-License-Identifier: Apache-2.0\nfn f() {}\n"),
    ("names", "src/hean/utils.py", ""),
    ("texts", "a.md", "done \N{PARTY POPPER}"),
    ("texts", "a.py", "# TO" + "DO: later"),
    ("texts", "a.toml", "index = 'https://py" + "pi.org/simple'"),
    ("texts", "a.py", "DATA = '/ro" + "ot/data'"),
    ("locks", "requirements/a.txt", "--find-links x"),
    ("locks", "requirements/a.txt", "numpy==2.0"),
    ("kernel_imports", "src/hean/core/a.py", "import time"),
    ("kernel_imports", "src/hean/core/a.py", "import polars"),
    ("kernel_imports", "src/hean/core/a.py", "from hean.risk import governor"),
    ("kernel_imports", "src/hean/risk/a.py", "from hean.execution.router import Router"),
    ("kernel_imports", "src/hean/risk/a.py", "import datetime\nx = datetime.datetime.now()"),
    ("kernel_imports", "src/hean/risk/a.py", "import os\nx = os.environ['A']"),
    ("rim_imports", "src/hean/venues/a.py", "import hean.risk.governor"),
    ("modes", "src/hean/risk/a.py", "if mode == 'live':\n    pass"),
    ("modes", "src/hean/risk/a.py", "if self.is_paper:\n    pass"),
    ("broad_excepts", "a.py", "try:\n    f()\nexcept (ValueError, Exception):\n    pass"),
    ("broad_excepts", "a.py", "try:\n    f()\nexcept:\n    pass"),
    ("rust_purity", "crates/core/src/a.rs", "let t = std::time::Instant::now();"),
    ("rust_purity", "crates/core/src/a.rs", "let a = HashMap::new();\nfor x in &a {}"),
    ("docstrings", "src/hean/core/a.py", "class A:\n    '''Doc.'''\n    def b(self): ..."),
]


@pytest.mark.parametrize(("rule", "path", "text"), BAD, ids=lambda value: str(value)[:24])
def test_rule_catches_its_bad_example(rule, path, text):
    assert list(getattr(tidy_rules, rule)(Source(path, text)))


GOOD = [
    ("sizes", "crates/core/tests/a.rs", 'f(r#"' + "x" * 101 + '"#);'),
    (
        "function_lengths",
        "a.rs",
        "fn f() { let a = \"{\"; /* { */ let b = '{'; }\n" + "// x\n" * 70,
    ),
    ("nesting", "a.py", "def f():\n if a:\n  b\n" + " elif c:\n  d\n" * 8),
    ("texts", "a.py", "# TO" + "DO(#12): later"),
    ("texts", "a.sh", 'cp "$folder/home/x" docs/tmp/y ../work/z'),
    ("kernel_imports", "src/hean/core/clock.py", "import time\nfrom hean.core.types import Event"),
    ("modes", "src/hean/core/driver.py", "x = 'live'"),
    ("modes", "src/hean/core/a.py", "class LiveClock: pass"),
    ("broad_excepts", "a.py", "try:\n    f()\nexcept Exception:  # reason: user code\n    pass"),
    ("broad_excepts", "a.py", "try:\n    f()\nexcept Exception:\n    g()\n    raise"),
    ("rust_purity", "crates/core/src/a.rs", "let a = HashMap::new();\nlet b = a.get(&1);"),
]


@pytest.mark.parametrize(("rule", "path", "text"), GOOD, ids=lambda value: str(value)[:24])
def test_rule_leaves_its_good_example_alone(rule, path, text):
    assert not list(getattr(tidy_rules, rule)(Source(path, text)))


def test_every_rule_has_a_bad_example():
    assert {rule.__name__ for rule in RULES} == {rule for rule, _, _ in BAD}
