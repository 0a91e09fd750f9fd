# SPDX-License-Identifier: Apache-2.0
"""`dask_engine.py`: genomes judged by workers of Dask, processes of this machine or a cluster. What
travels is a batch of texts there and its scores back; columns are files that each machine has once.
A batch whose worker is lost is judged by another one, and batches are put together by their number,
so that nothing of a result tells who judged it. Dask is the extra `dask`.
"""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from hean.errors import EnvironmentFault, HeanError, ParameterInvalid
from hean.evaluate import ground_files
from hean.evaluate.dask_worker import Answer, Ref, echo_of, forget, judged, take, versions
from hean.evaluate.evolving import Arena
from hean.genome.text import write
from hean.genome.tree import Genome
from hean.symbiont.evolution import Judge
from hean.symbiont.select import Score

INSTALL = "the engine dask needs Dask: ./hean setup dask, or pip install 'hean[dask]'"
ADDRESS = re.compile(r"(tcp|tls)://(\[[0-9a-fA-F:.]+\]|[\w.-]+):\d{1,5}")
LOST_MAX = 3  # workers that a batch may lose before the run ends
RETRIES_MAX = 3  # of a batch that a worker could not judge
BATCH_MAX = 256
CONNECT_S, ASK_S = 20, 5
ALONE_MAX = 24  # times of ASK_S without any worker
CLOSE_S = 20
SAME = ("dask", "distributed")  # versions that scheduler, workers and this process share

_HERE = {
    "distributed.scheduler.allowed-failures": LOST_MAX,
    "distributed.scheduler.http.routes": [],  # what is told there, anybody on the machine may read
    "distributed.worker.http.routes": [],
    "distributed.comm.timeouts.connect": "60s",  # of a machine that has much else to do
}


class DaskEngine:
    """An `Engine`. *workers*: processes of this machine; *scheduler*: `tcp://HOST:PORT` or
    `tls://HOST:PORT` of a cluster, which has its own.

    *Raises*: `ParameterInvalid` for another address; `EnvironmentFault` without Dask.
    """

    def __init__(self, workers: int, scheduler: str | None = None) -> None:
        if scheduler is not None and not ADDRESS.fullmatch(scheduler):
            raise ParameterInvalid(
                f"scheduler {scheduler!r}; give tcp://HOST:PORT or tls://HOST:PORT."
            )
        self._workers, self._scheduler = workers, scheduler
        try:
            self._dask: Any = importlib.import_module("distributed")
        except ImportError as error:
            raise EnvironmentFault(f"{INSTALL} ({error}).") from error

    @contextmanager
    def __call__(self, arena: Arena) -> Iterator[Judge]:
        """See `Engine`."""
        files = ground_files.packed(arena)
        with ExitStack() as stack:
            if self._scheduler is None:
                folder = stack.enter_context(ground_files.own_folder())
                ref = Ref(ground_files.write(folder, files), str(folder))
                files = {}  # nobody needs to be sent any
                client = self._started(stack, folder)
            else:
                ref = Ref(ground_files.digest_of(files))
                client = self._joined(stack, self._scheduler)
                stack.callback(_forgotten, client, ref)
            _check_versions(client)
            yield _Batches(self._dask, client, ref, files, echo_of(arena)).judge

    def _started(self, stack: ExitStack, folder: Path) -> Any:
        """Workers of this machine. Nobody else on it may give them work: what they say to each
        other is encrypted with keys that are made for this run.
        """
        settings: Any = importlib.import_module("dask.config")
        stack.enter_context(settings.set(_HERE))
        try:
            cluster = self._dask.LocalCluster(
                n_workers=self._workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                memory_limit=0,  # mapped columns count as memory of each worker
                local_directory=str(folder),
                preload=["hean.evaluate.dask_worker"],
                silence_logs=logging.CRITICAL,
                security=True,
            )
        except (OSError, RuntimeError, TimeoutError) as error:
            raise EnvironmentFault(f"workers of Dask did not start: {error}.") from error
        stack.callback(cluster.close, timeout=CLOSE_S)
        return stack.enter_context(self._dask.Client(cluster, timeout=CONNECT_S))

    def _joined(self, stack: ExitStack, address: str) -> Any:
        """A cluster of somebody's, with the keys that Dask's own settings name."""
        try:
            client = stack.enter_context(self._dask.Client(address, timeout=CONNECT_S))
        except (OSError, ValueError, TimeoutError) as error:
            raise EnvironmentFault(
                f"no scheduler answers at {address} ({error}); start one with `dask scheduler`, "
                "or leave --scheduler out for workers of this machine."
            ) from error
        try:
            client.wait_for_workers(1, timeout=ASK_S * ALONE_MAX)
        except (OSError, TimeoutError) as error:
            raise EnvironmentFault(
                f"{address} has no worker; start one with `dask worker {address}`."
            ) from error
        return client


class _Batches:
    """The judge of one arena on a client. *files*: of the arena, for machines that lack it."""

    def __init__(
        self, dask: Any, client: Any, ref: Ref, files: Mapping[str, bytes], echo: str
    ) -> None:
        self._dask, self._client, self._ref = dask, client, ref
        self._files, self._echo = files, echo
        self._sent: set[str] = set()

    def judge(self, genomes: Sequence[Genome]) -> list[Score]:
        """See `Judge`."""
        texts = [write(genome) for genome in genomes]
        size = self._size(len(texts))
        batches = [texts[at : at + size] for at in range(0, len(texts), size)]
        found: dict[int, list[Score]] = {}
        tries = dict.fromkeys(range(len(batches)), 0)
        waiting = {self._asked(batches[at], at, 0): at for at in tries}
        while waiting:
            for future in self._first_done(waiting):
                at = waiting.pop(future)
                scores, is_charged = self._scores(future, may_retry=tries[at] < RETRIES_MAX)
                if scores is not None:
                    found[at] = scores
                    continue
                tries[at] += is_charged
                waiting[self._asked(batches[at], at, tries[at])] = at
        return [score for at in sorted(found) for score in found[at]]

    def _size(self, count: int) -> int:
        """As many batches as threads: equal parts of rules are computed once in a batch."""
        threads = sum(int(each["nthreads"]) for each in self._workers().values())
        return max(1, min(BATCH_MAX, -(-count // max(threads, 1))))

    def _asked(self, batch: list[str], at: int, turn: int) -> Any:
        try:
            return self._client.submit(judged, self._ref, batch, pure=False, retries=0)
        except (OSError, RuntimeError) as error:
            raise self._lost() from error

    def _first_done(self, waiting: Mapping[Any, int]) -> list[Any]:
        """Batches that are over, one at least."""
        alone = 0
        while True:
            try:
                self._dask.wait(list(waiting), timeout=ASK_S, return_when="FIRST_COMPLETED")
            except TimeoutError:
                alone = 0 if self._workers() else alone + 1
                if alone > ALONE_MAX:
                    raise EnvironmentFault(
                        f"{self._address}: no worker is left; start some with `dask worker` and "
                        "run again: the checkpoint has every whole generation."
                    ) from None
            except (self._dask.CancelledError, OSError) as error:
                raise self._lost() from error
            done = [future for future in waiting if future.done()]
            if done:
                return done

    def _scores(self, future: Any, *, may_retry: bool) -> tuple[list[Score] | None, bool]:
        """Scores; `None` for a batch to be asked again, and whether that counts as a failure."""
        if future.status not in ("finished", "error"):
            raise self._lost()
        try:
            answer: Answer = future.result()
        except HeanError:
            raise
        except ImportError as error:
            raise EnvironmentFault(
                f"{self._address}: a worker lacks this version of HEAN ({error}); install the same "
                "there."
            ) from error
        except self._dask.KilledWorker as error:
            raise EnvironmentFault(
                f"{error.allowed_failures + 1} workers ended while they judged the same genomes "
                f"(the last: {error.last_worker.address}); see whether their memory suffices."
            ) from error
        except Exception as error:
            if may_retry:
                return None, True
            raise EnvironmentFault(
                f"{self._address}: workers fail: {type(error).__name__}: {error}."
            ) from error
        self._check(answer)
        if answer.scores is not None:
            return answer.scores, False
        return None, self._send(answer, may_retry=may_retry)

    def _check(self, answer: Answer) -> None:
        """Who answers must be as this process is."""
        ours = versions()
        if answer.versions != ours:
            there = ", ".join(f"{name} {answer.versions.get(name)}" for name in ours)
            here = ", ".join(f"{name} {number}" for name, number in ours.items())
            raise EnvironmentFault(
                f"the worker {answer.address} has {there}; here is {here}. Install the same there."
            )
        if answer.scores is not None and answer.echo != self._echo:
            raise EnvironmentFault(
                f"the worker {answer.address} ({answer.place}) gives the same genomes other scores "
                "than this machine, by another processor or library; take machines of one kind."
            )

    def _send(self, answer: Answer, *, may_retry: bool) -> bool:
        """The arena to the machine of a worker, once. *Returns*: whether it had been sent."""
        was_sent = answer.place in self._sent
        if was_sent and not may_retry:
            raise EnvironmentFault(f"{answer.place}: the columns were sent there and are gone.")
        self._sent.add(answer.place)
        try:
            told = self._client.run(
                take, dict(self._files), workers=[answer.address], on_error="return"
            )
        except (OSError, ValueError):  # the worker has left meanwhile; the batch asks again
            return was_sent
        for said in told.values():
            if isinstance(said, HeanError):
                raise said
        return was_sent

    def _workers(self) -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = self._client.scheduler_info(n_workers=-1)["workers"]
        except (OSError, RuntimeError, KeyError) as error:
            raise self._lost() from error
        return found

    @property
    def _address(self) -> str:
        return str(self._client.scheduler.address if self._client.scheduler else "Dask")

    def _lost(self) -> EnvironmentFault:
        return EnvironmentFault(
            f"the scheduler at {self._address} is gone; start it and run again: the checkpoint of "
            "--out has every whole generation."
        )


def _forgotten(client: Any, ref: Ref) -> None:
    """Remove what was sent, as far as anybody is there."""
    with suppress(Exception):  # reason: the run is over, whatever became of the cluster
        client.run(forget, ref.name, on_error="ignore")


def _check_versions(client: Any) -> None:
    """*Raises*: `EnvironmentFault` where somebody has another Dask."""
    found = client.get_versions()
    ours = found["client"]["packages"]
    others = {"the scheduler": found["scheduler"], **found["workers"]}
    for name, each in others.items():
        for package in SAME:
            there = each["packages"].get(package)
            if there != ours[package]:
                raise EnvironmentFault(
                    f"{name} has {package} {there}, this process {ours[package]}; install the same."
                )
