# SPDX-License-Identifier: Apache-2.0
"""Evolution on Dask, with processes that are really there: the champions are those of one process
whatever the number of workers, after a run that was killed, and when workers are killed in it; what
is wrong with a cluster is said. Half a minute, for processes are started and ended.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hean.backtest.assumptions import Assumptions
from hean.backtest.run import BacktestSettings
from hean.errors import DataInvalid, EnvironmentFault, ParameterInvalid
from hean.evaluate import dask_engine, ground_files
from hean.evaluate.dask_engine import DaskEngine
from hean.evaluate.evolve import Evolved, evolve
from hean.evaluate.evolving import Plan, arena_of, parts_of
from hean.feeds.history import History, load_history
from hean.genome.features import load_all
from hean.genome.text import read
from hean.symbiont.evolution import Generation
from judged_market import write_planted

distributed = pytest.importorskip("distributed", reason="Dask is not here: ./hean setup dask")
psutil = pytest.importorskip("psutil", reason="Dask is not here: ./hean setup dask")

GENERATIONS, LIMIT_S = 4, 240
STRETCH = """
def stretch(bars):
    return bars["close"] / bars["open"] - 1
"""
Watch = Callable[[Generation], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bars, and a feature."""
    folder = tmp_path_factory.mktemp("market")
    write_planted(folder, 6)
    (folder / "features.py").write_text(STRETCH)
    return folder


@pytest.fixture(scope="module")
def history(folder: Path) -> History:
    return load_history(list(folder.glob("*.parquet")), ["BTCUSDT"])


def plan_of(folder: Path, log: Path, **more: Any) -> Plan:
    """A small population that reads a feature."""
    cheap = Assumptions(taker_fee=Decimal("0.0001"), half_spread=0.0, impact=0.0)
    base = BacktestSettings("genome", ("BTCUSDT",), {}, assumptions=cheap, seed=3)
    features = load_all([f"{folder / 'features.py'}:stretch"])
    plan = Plan(base, log, 24, GENERATIONS, folds=3, trips_min=40, features=features)
    return msgspec.structs.replace(plan, **more)


@pytest.fixture(scope="module")
def alone(folder: Path, history: History, tmp_path_factory: pytest.TempPathFactory) -> Evolved:
    """What one process finds."""
    return evolve(plan_of(folder, tmp_path_factory.mktemp("log")), history)


def is_same(found: Evolved, other: Evolved) -> bool:
    """To the last bit."""
    states = [msgspec.json.encode(each.state) for each in (found, other)]
    return states[0] == states[1] and found.document == other.document


def until(holds: Callable[[], Any]) -> Any:
    """What *holds* says once it is true."""
    end = time.monotonic() + LIMIT_S
    while not (found := holds()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
    return found


def after(number: int, act: Callable[[], None]) -> Watch:
    """Does something when a generation is over."""

    def watch(told: Generation) -> None:
        if told.number + 1 == number:
            act()

    return watch


# ---------------------------------------------------------------- this machine


def test_one_worker_finds_what_one_process_does(
    folder: Path, history: History, alone: Evolved, tmp_path: Path
) -> None:
    found = evolve(plan_of(folder, tmp_path), history, engine=DaskEngine(1))
    assert is_same(found, alone) and alone.champions
    assert any("stretch" in text for text in found.state.trials)


def stop() -> None:
    """As Ctrl-C does."""
    raise KeyboardInterrupt


def test_dask_goes_on_with_what_one_process_began(
    folder: Path, history: History, alone: Evolved, tmp_path: Path
) -> None:
    """By two workers; the other way round is below, after a kill."""
    plan, kept = plan_of(folder, tmp_path), tmp_path / "run.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        evolve(plan, history, checkpoint=kept, on_generation=after(2, stop))
    assert is_same(evolve(plan, history, checkpoint=kept, engine=DaskEngine(2)), alone)


def busy() -> list[int]:
    """Process ids of workers that have been given a batch."""
    scheduler = distributed.default_client().cluster.scheduler
    places = [each for each in list(scheduler.workers.values()) if each.processing]
    nannies = distributed.default_client().cluster.workers.values()
    pids = {each.worker_address: each.process.pid for each in nannies if each.process}
    return [pids[each.address] for each in places if each.address in pids]


def hold(pids: list[int]) -> list[int]:
    """Have them do nothing, so that they have a batch, and no answer, when they are killed."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    return pids


def workers() -> list[int]:
    """Process ids of all workers."""
    return [each.process.pid for each in distributed.default_client().cluster.workers.values()]


def test_a_worker_that_is_killed_changes_nothing(
    folder: Path, history: History, alone: Evolved, tmp_path: Path
) -> None:
    """Both stand still with a batch each; one is killed, the other goes on."""
    killed: list[int] = []

    def kill(held: list[int]) -> None:
        victim = until(busy)[0]
        os.kill(victim, signal.SIGKILL)
        killed.append(victim)
        for pid in set(held) - {victim}:
            os.kill(pid, signal.SIGCONT)

    watchers: list[threading.Thread] = []

    def act() -> None:
        assert distributed.default_client().scheduler.address.startswith("tls://127.0.0.1:")
        watchers.append(threading.Thread(target=kill, args=(hold(workers()),)))
        watchers[0].start()

    plan = plan_of(folder, tmp_path)
    found = evolve(plan, history, engine=DaskEngine(2), on_generation=after(2, act))
    watchers[0].join()
    assert killed and not psutil.pid_exists(killed[0])
    assert is_same(found, alone)


def test_a_batch_that_ends_every_worker_ends_the_run(
    folder: Path, history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is a limit, and what was bred until then is kept."""
    monkeypatch.setitem(dask_engine._HERE, "distributed.scheduler.allowed-failures", 0)
    kept, over = tmp_path / "run.checkpoint", threading.Event()

    def kill() -> None:
        hold(workers())
        os.kill(until(busy)[0], signal.SIGKILL)
        over.set()

    plan = plan_of(folder, tmp_path)
    watcher = threading.Thread(target=kill)
    with pytest.raises(EnvironmentFault, match="ended while they judged the same genomes"):
        evolve(plan, history, checkpoint=kept, engine=DaskEngine(1),
               on_generation=after(1, watcher.start))  # fmt: skip
    assert over.is_set()
    assert json.loads(kept.read_bytes())["state"]["generation"] == 1


def is_alive(process: Any) -> bool:
    """Whether it does anything; one that has ended may wait for somebody to ask."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def words(folder: Path, data_dir: Path, out: Path, *more: str) -> list[str]:
    """`hean evolve` on a small population."""
    data = str(next(folder.glob("*.parquet")))
    found = [sys.executable, "-m", "hean", "evolve", "--symbol", "BTCUSDT", "--data", data]
    found += ["--population", "24", "--folds", "3", "--min-trades", "40", "--generations", "12"]
    found += ["--fees", "maker=0,taker=0.0001", "--slippage", "none"]
    return [*found, "--data-dir", str(data_dir), "--out", str(out), *more]


@contextmanager
def under_way(folder: Path, data_dir: Path, out: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Two workers of Dask in the third generation, and a terminal of their own."""
    command = words(folder, data_dir, out, "--engine", "dask", "--workers", "2")
    kept = out.with_name(f"{out.name}.checkpoint")
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, start_new_session=True) as run:
        until(lambda: kept.exists() and json.loads(kept.read_bytes())["state"]["generation"] >= 2)
        yield run


def test_a_run_that_was_killed_goes_on_from_the_command_line(folder: Path, tmp_path: Path) -> None:
    """SIGKILL in the middle: its workers end by themselves, and the next run ends as a whole one,
    with the other engine.
    """
    whole, part = tmp_path / "whole.json", tmp_path / "part.json"
    with under_way(folder, tmp_path, part) as run:
        started = psutil.Process(run.pid).children(recursive=True)
        run.kill()
    assert len(started) >= 2 and not part.exists()
    until(lambda: not any(is_alive(each) for each in started))
    for out in (part, whole):
        subprocess.run(words(folder, tmp_path, out), capture_output=True, check=False)
    one, other = (json.loads(path.read_text()) for path in (whole, part))
    assert one["champions"] == other["champions"] and one["history"] == other["history"]


def test_ctrl_c_ends_a_run_and_its_workers_in_silence(folder: Path, tmp_path: Path) -> None:
    """A terminal tells it to all of them."""
    with under_way(folder, tmp_path, tmp_path / "out.json") as run:
        started = psutil.Process(run.pid).children(recursive=True)
        os.killpg(run.pid, signal.SIGINT)
        _, errors = run.communicate(timeout=LIMIT_S)
    assert run.returncode == 130 and errors.strip() == b"interrupted; no result was written"
    until(lambda: not any(is_alive(each) for each in started))


# ---------------------------------------------------------------- a cluster


@contextmanager
def process(module: str, *words: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """One of Dask's own programs."""
    with subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.{module}", *words],
        env=os.environ | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as started:
        try:
            yield started
        finally:
            started.kill()


@contextmanager
def scheduler(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A scheduler and its address."""
    file = folder / "scheduler.json"
    words = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--dashboard-address",
             "127.0.0.1:0", "--scheduler-file", str(file))  # fmt: skip
    with process("dask_scheduler", *words) as started:
        until(file.exists)
        yield until(lambda: json.loads(file.read_text() or "{}").get("address")), started


def worker(address: str, folder: Path, **variables: str) -> Any:
    """One worker, without a nanny."""
    words = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(folder))
    return process("dask_worker", address, *words, **variables)


def test_a_cluster_finds_the_same_and_has_the_columns_once_a_machine(
    folder: Path,
    history: History,
    alone: Evolved,
    tmp_path: Path,
) -> None:
    """And a run whose scheduler is gone ends; its checkpoint is good for one without any."""
    plan, kept = plan_of(folder, tmp_path / "log"), tmp_path / "run.checkpoint"
    seen: list[list[str]] = []
    sent = tmp_path / "dask-scratch-space" / "hean-arenas"

    def look() -> None:
        seen.append(os.listdir(sent))

    with (
        scheduler(tmp_path) as (address, started),
        worker(address, tmp_path),
        worker(address, tmp_path),
    ):
        engine = DaskEngine(1, address)
        found = evolve(plan, history, engine=engine, on_generation=after(2, look))
        assert is_same(found, alone)
        assert len(seen) == 1 and len(seen[0]) == 1
        assert not os.listdir(sent)

        def end() -> None:
            distributed.default_client()._timeout = 1  # to connect once more
            started.kill()
            started.wait()

        watch = after(2, end)
        with pytest.raises(EnvironmentFault, match="is gone; start it and run again"):
            evolve(plan, history, checkpoint=kept, engine=engine, on_generation=watch)
    assert is_same(evolve(plan, history, checkpoint=kept), alone)


OLDER = """
import hean
hean.__version__ = "0.0.1"
"""


def test_what_is_wrong_with_a_cluster_is_said(
    folder: Path, history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(folder, tmp_path / "log")
    monkeypatch.setattr(dask_engine, "ASK_S", 1)
    monkeypatch.setattr(dask_engine, "ALONE_MAX", 1)
    (tmp_path / "sitecustomize.py").write_text(OLDER)
    older = os.pathsep.join([str(tmp_path), *sys.path])
    with scheduler(tmp_path) as (address, _):
        with pytest.raises(EnvironmentFault, match="has no worker; start one"):
            evolve(plan, history, engine=DaskEngine(1, address))
        monkeypatch.setattr(dask_engine, "ALONE_MAX", LIMIT_S)
        with worker(address, tmp_path) as only:

            def leave() -> None:
                monkeypatch.setattr(dask_engine, "ALONE_MAX", 1)
                only.kill()

            with pytest.raises(EnvironmentFault, match="no worker is left; start some"):
                evolve(plan, history, engine=DaskEngine(1, address), on_generation=after(1, leave))
        monkeypatch.setattr(dask_engine, "ALONE_MAX", LIMIT_S)
        old = worker(address, tmp_path, PYTHONPATH=older)
        with old, pytest.raises(EnvironmentFault, match=r"has hean 0\.0\.1"):
            evolve(plan, history, engine=DaskEngine(1, address))
    monkeypatch.setattr(dask_engine, "CONNECT_S", 1)
    with pytest.raises(EnvironmentFault, match="no scheduler answers at tcp://"):
        evolve(plan, history, engine=DaskEngine(1, address))
    with pytest.raises(ParameterInvalid, match="give tcp://HOST:PORT"):
        DaskEngine(1, "localhost:8786")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(EnvironmentFault, match="hean setup dask"):
        DaskEngine(1)


# ---------------------------------------------------------------- files


def test_an_arena_is_the_same_on_mapped_files(
    folder: Path, history: History, tmp_path: Path
) -> None:
    """Nothing is copied, and a file that says something else is refused."""
    plan = plan_of(folder, tmp_path / "log")
    arena = arena_of(plan, history, parts_of(history, plan).bred)
    files = ground_files.packed(arena)
    name = ground_files.write(tmp_path / "arenas", files)
    assert ground_files.write(tmp_path / "arenas", files) == name
    again = ground_files.opened(tmp_path / "arenas", name)
    mapped = again.material.columns[0]["close"]
    assert not mapped.flags.owndata and not mapped.flags.writeable
    texts = ["long when rsi(14) < 30; exit when stretch > 0.001; stop 2 atr; hold 90 bars"]
    genomes = [read(text, ["stretch"]) for text in texts]
    assert again.scores(genomes) == arena.scores(genomes)
    assert again.scores(genomes)[0].trips > 40
    file = tmp_path / "arenas" / name / "0.close.npy"
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(DataInvalid, match="not the arena that its name says"):
        ground_files.opened(tmp_path / "arenas", name)


def test_what_a_killed_run_left_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not what is in use, nor what is just being made."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ground_files.own_folder() as used:
        left, fresh, foreign = (tmp_path / f"hean-dask-{name}" for name in "abc")
        for each in (left, fresh, foreign):
            each.mkdir()
        for folder in (left, fresh):
            (folder / "lock").touch()
        for folder in (left, used):
            os.utime(folder / "lock", (0, 0))
        with ground_files.own_folder() as own:
            assert sorted(tmp_path.iterdir()) == sorted([fresh, foreign, used, own])
    assert sorted(tmp_path.iterdir()) == [fresh, foreign]


def test_the_oldest_arena_makes_room(tmp_path: Path) -> None:
    names = [ground_files.write(tmp_path, {"arena.json": bytes([at])}) for at in range(12)]
    assert sorted(os.listdir(tmp_path)) == sorted(names[-ground_files.KEPT_MAX :])
