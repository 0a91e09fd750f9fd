# SPDX-License-Identifier: Apache-2.0
"""The house rules that no linter knows, each as one function from a file to its findings.

Nothing of HEAN is imported: Python is read as a syntax tree, Rust as text with comments and
strings blanked. A rule that does not apply to a file yields nothing. `test_tidy.py` runs every
rule over the project, and over a bad example that it must catch.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

FILE_LINES = 500
FUNCTION_LINES = 60
BINDING_LINES = 40  # crates/py converts wide payloads field by field; longer has begun to think
LINE_COLUMNS = 100
NESTING = 4

CODE = {".py", ".pyi", ".rs", ".sh", ""}
MODULES = ("models", "strategies", "symbiont", "risk", "execution", "portfolio", "reconcile")
MODULES += ("processes",)
RIM = ("feeds", "venues", "twin", "transports", "observe", "data")
DOCUMENTED = ("core", "risk", "execution", "venues")  # every public name, no exception

# Time, chance, identity and the environment reach kernel code through its Context only.
IMPURE = {"time", "random", "uuid", "secrets", "asyncio"}
IMPURE_CALLS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
IMPURE_CALLS |= {"os.environ", "os.getenv", "os.urandom"}
ALLOWED_IMPURE = {
    "core/bus.py": {"asyncio"},  # publish() waits at the high-water mark; async mailboxes
    "core/bridge.py": {"asyncio"},  # one task between bus and transport
    "core/clock.py": {"asyncio", "time"},  # LiveClock is where time comes from
    "core/driver.py": {"asyncio"},  # the loop that real time drives
    "core/event_streams.py": {"asyncio"},  # talks to a server
    "core/mailbox.py": {"asyncio"},  # one task per async handler
    "core/module.py": {"random"},  # seeded streams by label
    "core/orchestrator.py": {"asyncio"},  # starts and stops async components
    "core/simloop.py": {"asyncio"},  # an event loop on virtual time
}
ALLOWED_CALLS = {"core/event_streams.py": {"os.environ"}}  # RedisEventStream() finds REDIS_URL
THIRD_PARTY = {"core": {"msgspec"}, **{key: {"msgspec", "numpy"} for key in MODULES}}
THIRD_PARTY_EXTRA = {"core/event_streams.py": {"redis"}}

MODE_WORDS = {"back" + "test", "pa" + "per", "li" + "ve"}
MODE_FILES = {"core/driver.py", "risk/live_gate.py"}
MODE_FILES |= {"processes/lifecycle.py"}  # its states are named as quant/methods 10.4 names them
MODE_FILES |= {"symbiont/population.py", "symbiont/gates.py", "symbiont/colony.py"}  # as 17.4 does

VAGUE_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "managers"}
TASK_MARK = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b(?!\(#\d+\))")
EMOJI = re.compile("[\U0001f000-\U0001faff\ufe0f\u2705\u274c\u2728\u2b50\u26a0\u26a1]")
MACHINE_PATH = re.compile(r"(?<![\w.~/$}-])/(?:root|home|work|tmp|opt|mnt|Users|private)/\w")
REGISTRIES = (
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("crates", "io/api"),
    ("index.crates", "io"),
    ("static.crates", "io"),
    ("npmjs", "org"),
    ("yarnpkg", "com"),
    ("repo.maven.apache", "org"),
    ("repo1.maven", "org"),
    ("proxy.golang", "org"),
    ("deb.debian", "org"),
    ("docker", "io"),
    ("ghcr", "io"),
    ("quay", "io"),
    ("gcr", "io"),
)
REGISTRY = re.compile(
    r"(?<![\w-])(?:[\w-]+\.)*(?:" + "|".join(re.escape(".".join(r)) for r in REGISTRIES) + r")\b"
)

Finding = tuple[int, str]


@dataclass(frozen=True)
class Source:
    """One file: its path from the root with forward slashes, and its text."""

    path: str
    text: str

    @property
    def name(self) -> str:
        """File name without folders."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def stem(self) -> str:
        """File name without its last suffix."""
        return self.name.rsplit(".", 1)[0]

    @property
    def suffix(self) -> str:
        """Last suffix with its dot, or nothing."""
        return "." + self.name.rsplit(".", 1)[1] if "." in self.name else ""

    @property
    def inside(self) -> str:
        """Path below the Python package, or nothing for files outside it."""
        return self.path.removeprefix("src/hean/") if self.path.startswith("src/hean/") else ""

    @property
    def package(self) -> str:
        """First folder below the Python package."""
        return self.inside.split("/", 1)[0] if "/" in self.inside else ""

    @cached_property
    def lines(self) -> list[str]:
        """The text by lines."""
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree; empty for other languages."""
        return ast.parse(self.text if self.suffix == ".py" else "")

    @cached_property
    def rust(self) -> str:
        """Rust text with comments and literals blanked, line numbers kept; empty otherwise."""
        return RUST_NOISE.sub(blank, self.text) if self.suffix == ".rs" else ""


RUST_NOISE = re.compile(
    r'//[^\n]*|/\*.*?\*/|r(#*)".*?"\1|"(?:\\.|[^"\\])*"|\'(?:\\.[^\']*|[^\'\\])\'', re.DOTALL
)


def blank(match: re.Match[str]) -> str:
    """The same number of lines without content."""
    return "\n" * match[0].count("\n")


def sizes(source: Source) -> Iterator[Finding]:
    """Files of at most 500 lines, lines of at most 100 columns; raw frames in tests are data."""
    if source.suffix not in CODE:
        return
    # A stub lists a whole extension module and is read by name, not from top to bottom.
    if len(source.lines) > FILE_LINES and source.suffix != ".pyi":
        yield len(source.lines), f"file longer than {FILE_LINES} lines"
    for number, line in enumerate(source.lines, 1):
        is_frame = "tests/" in source.path and re.search(r"\br#*[\"']", line)
        if len(line) > LINE_COLUMNS and not is_frame:
            yield number, f"line longer than {LINE_COLUMNS} columns"


def function_lengths(source: Source) -> Iterator[Finding]:
    """Functions of at most 60 lines; in the Python face of the core, bodies of at most 40."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield node.lineno, f"{node.name} has {length} lines of {FUNCTION_LINES}"
    for name, start, body, end in rust_functions(source.rust):
        if end - start + 1 > FUNCTION_LINES:
            yield start, f"{name} has {end - start + 1} lines of {FUNCTION_LINES}"
        if source.path.startswith("crates/py/") and end - body - 1 > BINDING_LINES:
            yield start, f"{name} has a body of {end - body - 1} lines of {BINDING_LINES}"


def rust_functions(text: str) -> Iterator[tuple[str, int, int, int]]:
    """Name and the lines of `fn`, opening and closing brace of every function with a body."""
    text = re.sub(r"\[[^\]]*;[^\]]*\]", lambda array: array[0].replace(";", ","), text)
    body = re.compile(r"[{;]")
    for match in re.finditer(r"\bfn\s+(\w+)", text):
        opening = body.search(text, match.end())
        if opening is None or opening[0] == ";":
            continue
        depth, position = 1, opening.end()
        while depth and position < len(text):
            depth += {"{": 1, "}": -1}.get(text[position], 0)
            position += 1
        yield (
            match[1],
            *(
                text.count("\n", 0, place) + 1
                for place in (match.start(), opening.start(), position)
            ),
        )


def nesting(source: Source) -> Iterator[Finding]:
    """Blocks nested at most four deep inside a function; an `elif` is not deeper than its `if`."""
    blocks = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)

    def walk(node: ast.AST, depth: int) -> Iterator[Finding]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from walk(child, 0)
                continue
            chained = isinstance(node, ast.If) and node.orelse == [child]
            deeper = depth + (isinstance(child, blocks) and not chained)
            if deeper == NESTING + 1 and deeper > depth:
                yield getattr(child, "lineno", 0), f"nested deeper than {NESTING}"
            yield from walk(child, deeper)

    yield from walk(source.tree, 0)


def headers(source: Source) -> Iterator[Finding]:
    """Every code file begins with its licence, Python and Rust also with what they are."""
    if source.suffix not in CODE or not source.text or source.name == "LICENSE":
        return
    if not any("SPDX-License-Identifier: Apache-2.0" in line for line in source.lines[:2]):
        yield 1, "no SPDX line at the top"
    if source.suffix == ".py" and ast.get_docstring(source.tree) is None:
        yield 1, "no paragraph that says what this file is"
    if source.suffix == ".rs" and not re.search(r"^//!", source.text, re.MULTILINE):
        yield 1, "no paragraph that says what this file is"


def names(source: Source) -> Iterator[Finding]:
    """No file that is named after nothing."""
    if source.stem in VAGUE_NAMES:
        yield 1, f"{source.stem} does not say of what"


def texts(source: Source) -> Iterator[Finding]:
    """No pictures in text, no open task without a number, no host, no path of one machine."""
    for number, line in enumerate(source.lines, 1):
        if EMOJI.search(line):
            yield number, "emoji"
        if TASK_MARK.search(line):
            yield number, "open task without an issue number"
        if REGISTRY.search(line) and source.name != "Cargo.lock":
            yield number, "names a registry host"
        if MACHINE_PATH.search(line):
            yield number, "names a path of one machine"


def locks(source: Source) -> Iterator[Finding]:
    """Requirement files carry no address, and locks carry a hash for every pin."""
    if not source.path.startswith("requirements/"):
        return
    for number, line in enumerate(source.lines, 1):
        if "://" in line or line.startswith("-") and not line.startswith("-c "):
            yield number, "names a place to download from"
    pins = [line for line in source.lines if "==" in line and not line.startswith((" ", "#"))]
    if source.suffix == ".txt" and any(not line.endswith("\\") for line in pins):
        yield 1, "a pin without a hash"


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of each import, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def kernel_imports(source: Source) -> Iterator[Finding]:
    """Core and modules import the standard library, what is listed, and what is below them."""
    if source.package not in THIRD_PARTY:
        return
    allowed = THIRD_PARTY[source.package] | THIRD_PARTY_EXTRA.get(source.inside, set())
    below = {"core", "errors", "_core", source.package}
    if source.package in MODULES:
        below |= {"filters", "genome", "indicators", "program", "quant"}
    if source.package == "strategies":
        below |= {"symbiont"}  # who trades a population knows it
    impure = IMPURE - ALLOWED_IMPURE.get(source.inside, set())
    for line, name in imported(source.tree):
        parts = name.split(".")
        if name.startswith("."):
            yield line, "relative import"
        elif parts[0] == "hean":
            if parts[1] not in below:
                yield line, f"{source.package} imports {name}"
        elif parts[0] in impure:
            yield line, f"{parts[0]} in kernel code; take it from the Context"
        elif parts[0] not in allowed | sys.stdlib_module_names:
            yield line, f"{source.package} imports {parts[0]}"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute):
            call = ".".join(ast.unparse(node).split(".")[-2:])
            if call in IMPURE_CALLS - ALLOWED_CALLS.get(source.inside, set()):
                yield node.lineno, f"{call} in kernel code; take it from the Context"


def rim_imports(source: Source) -> Iterator[Finding]:
    """Rim and modules meet on the bus, never by import."""
    for line, name in imported(source.tree) if source.package in RIM else ():
        parts = name.split(".")
        if parts[0] == "hean" and parts[1] in MODULES:
            yield line, f"{source.package} imports {name}"


def modes(source: Source) -> Iterator[Finding]:
    """Below the composition nobody asks in which mode the system runs."""
    if source.package not in ("core", *MODULES, *RIM) or source.inside in MODE_FILES:
        return
    words = MODE_WORDS | {f"is_{word}" for word in MODE_WORDS}
    for node in ast.walk(source.tree):
        match node:
            case ast.Constant(value=str(text)):
                found = text
            case ast.Name(id=text) | ast.Attribute(attr=text) | ast.arg(arg=text):
                found = text
            case _:
                continue
        if found.lower() in words:
            yield node.lineno, f"{found!r}: only the composition knows the mode"


def broad_excepts(source: Source) -> Iterator[Finding]:
    """Catching everything needs its reason on the same line, or raises again at its end."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and not isinstance(node.body[-1], ast.Raise):
            kind = ast.unparse(node.type) if node.type else "BaseException"
            broad = re.search(r"\b(?:Base)?Exception\b", kind)
            if broad and "# reason:" not in source.lines[node.lineno - 1]:
                yield node.lineno, "broad except without '# reason:'"


def rust_purity(source: Source) -> Iterator[Finding]:
    """The core has no clock, disk, network, thread or unsafe code, and no order by hash."""
    if not source.path.startswith("crates/core/src/"):
        return
    banned = r"\bunsafe\b|\bstd::(?:time|fs|net|thread|env|process)\b|\b(?:todo|unimplemented)!"
    hashed = set(re.findall(r"\b(\w+)\s*:\s*&?(?:mut )?(?:\w+::)*Hash(?:Map|Set)\b", source.rust))
    hashed |= set(
        re.findall(r"\blet (?:mut )?(\w+)\s*=\s*(?:\w+::)*Hash(?:Map|Set)::", source.rust)
    )
    walks = r"(?:iter|iter_mut|into_iter|keys|values|values_mut|drain|retain)\("
    for number, line in enumerate(source.rust.split("\n"), 1):
        if found := re.search(banned, line):
            yield number, f"{found[0]} in the core"
        for name in hashed:
            if re.search(rf"\b{name}\.{walks}|\bin &?(?:mut )?(?:self\.)?{name}\b", line):
                yield number, f"{name} is walked in the order of its hashes"


def undocumented(source: Source) -> tuple[list[Finding], int]:
    """Public names without a docstring, and how many public names there are."""
    missing: list[Finding] = []
    total = 0
    queue: list[ast.AST] = [source.tree]
    for scope in queue:
        for node in ast.iter_child_nodes(scope):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            marks = {ast.unparse(mark).split(".")[-1] for mark in node.decorator_list}
            if node.name.startswith("_") or marks & {"overload", "setter"}:
                continue
            total += 1
            if ast.get_docstring(node) is None:
                missing.append((node.lineno, f"{node.name} has no docstring"))
            if isinstance(node, ast.ClassDef):
                queue.append(node)
    return missing, total


def docstrings(source: Source) -> Iterator[Finding]:
    """Every public name is documented where money and orders are decided."""
    if source.package in DOCUMENTED:
        yield from undocumented(source)[0]


RULES: list[Callable[[Source], Iterator[Finding]]] = [
    sizes,
    function_lengths,
    nesting,
    headers,
    names,
    texts,
    locks,
    kernel_imports,
    rim_imports,
    modes,
    broad_excepts,
    rust_purity,
    docstrings,
]
