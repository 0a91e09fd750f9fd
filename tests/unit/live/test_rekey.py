# SPDX-License-Identifier: Apache-2.0
"""Another key for a process that trades (C-14): a whole live engine at a twin, over its control
socket. The new key counts once the venue has judged it, the old one is deleted, and orders go on;
what is wrong with a key is told, and the one before goes on.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from hean.live.drill import SCALE, SYMBOL, Practice, _endpoints
from hean.live.engine import LiveEngine
from hean.live.guard import Guard, Watching, job_of
from hean.live.parts import real_parts
from hean.live.settings import LiveSettings
from hean.live.socket import ask
from hean.risk.live_gate import Configured, phrase_of
from hean.risk.triggers import KillLimits
from hean.secret import Secret
from hean.twin.build import Twin, TwinSettings
from hean.venues.signing import Signer

pytestmark = [pytest.mark.control("C-14"), pytest.mark.timeout(600)]

PATIENCE_S = 120.0
KEYS = {
    "main": ("the-first-key-of-it", "the-first-secret-of-it-0123456789"),
    "spare": ("the-other-key-of-it", "the-other-secret-of-it-0123456789"),
    "second": ("somebody-elses-key", "somebody-elses-secret-0123456789"),
    "readonly": ("a-key-that-only-reads", "a-secret-that-only-reads-01234567"),
}


class KeyDesk:
    """A process that trades, and its venue."""

    def __init__(self, twin: Twin, engine: LiveEngine, folder: Path) -> None:
        self.twin = twin
        self.engine = engine
        self.folder = folder
        self.taken: list[Any] = []
        engine.on_rekeyed = self.taken.append

    async def until(self, condition: Any) -> None:
        """Wait for a condition."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(0.01)

    async def rekey(self, key: str, secret: str, mode: int = 0o600) -> dict[str, Any]:
        """Ask for it, as `hean rekey` does."""
        wish = {"verb": "rekey", "by": "ann", **self.named(key, secret, mode)}
        return await asyncio.to_thread(
            ask, self.engine.settings.control, wish, timeout_s=PATIENCE_S
        )

    async def typed(self, key: str, secret: str) -> tuple[int, str]:
        """Ask for it by the command. *Returns*: its exit code and what it said."""
        named = self.named(key, secret)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hean", "rekey", "--key-file", named["key_file"],
            "--secret-file", named["secret_file"], "--data-dir", str(self.folder.parent.parent),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()

    def named(self, key: str, secret: str, mode: int = 0o600) -> dict[str, str]:
        """Files with that in them."""
        named = {}
        for name, text in (("key_file", key), ("secret_file", secret)):
            path = self.folder / name
            path.touch(0o600)
            path.write_text(f"{text}\n")
            path.chmod(mode)
            named[name] = str(path)
        return named

    def orders_since(self, seq: int) -> int:
        """Orders that reached the venue after that row of its ledger."""
        return sum(row["kind"] == "new" for row in self.twin.ledger.since(seq, 100_000))


@pytest.fixture
async def desk() -> AsyncIterator[KeyDesk]:
    twin = Twin(TwinSettings("bybit", KEYS, limits_scale=float(SCALE)))
    await twin.start()
    with TemporaryDirectory(prefix="k") as name:  # a short path: of a socket
        folder = Path(name) / "live" / "bybit-linear-testnet"
        folder.mkdir(parents=True, mode=0o700)
        engine = LiveEngine(
            LiveSettings(
                "bybit", "linear", "testnet", (SYMBOL,), Practice.name, folder,
                kill_limits=KillLimits(watchdog_s=None),
            ),
            Practice((SYMBOL,)),
            endpoints=_endpoints(twin.port),
            signer=Signer(*map(Secret, KEYS["main"]), "BYBIT_API_KEY"),
            parts=real_parts(budget_scale=SCALE),
            configured=Configured(True, True, True, True),
        )  # fmt: skip
        stop = asyncio.Event()
        life = asyncio.ensure_future(engine.run(stop))
        desk = KeyDesk(twin, engine, folder)
        try:
            await desk.until(lambda: engine.is_ready or life.done())
            engine.safety.gate.confirm(phrase_of(engine.account_id, "testnet"))
            await desk.until(lambda: life.done() or not engine.safety.gate.missing)
            await desk.until(lambda: life.done() or desk.orders_since(0) > 0)
            yield desk
        finally:
            stop.set()
            await life
            await twin.stop()


async def test_orders_go_on_under_another_key_when_the_first_is_deleted(desk: KeyDesk) -> None:
    sockets = desk.engine.gateway.sockets
    opens = {each: each.opens for each in sockets}
    code, said = await desk.typed(*KEYS["spare"])
    assert code == 0 and "the new key is used" in said, said
    del desk.twin.keys[KEYS["main"][0]]
    await desk.until(lambda: all(each.opens > opens[each] for each in sockets))
    seq = desk.twin.ledger.seq
    await desk.until(lambda: desk.orders_since(seq) > 3)
    assert not desk.engine.safety.gate.missing
    assert desk.engine.gateway.halts.why(SYMBOL) == ""
    ((key, secret, label),) = desk.taken  # for the watchdog
    assert (key.reveal(), secret.reveal(), label) == (*KEYS["spare"], "BYBIT_API_KEY")
    await desk.until(lambda: b"rekey" in journal(desk))
    for text in (*KEYS["main"], *KEYS["spare"]):
        assert text.encode() not in journal(desk)
        assert text not in repr(desk.engine._signer)


def journal(desk: KeyDesk) -> bytes:
    """Everything that was written."""
    files = desk.engine.settings.journal.parent.glob("journal.db*")
    return b"".join(path.read_bytes() for path in files)


async def test_a_key_that_may_not_is_refused_and_the_one_before_goes_on(desk: KeyDesk) -> None:
    key, secret = KEYS["spare"]
    for given, mode, word in (
        (KEYS["main"], 0o600, "is in use"),
        (KEYS["second"], 0o600, "a key of account"),
        (KEYS["readonly"], 0o600, "a key that may trade"),
        ((key, "x" * 30), 0o600, "a key that the venue accepts"),
        (("no-key-of-anybody", secret), 0o600, "a key that the venue accepts"),
        ((key, secret), 0o644, "others may read it"),
        ((f"{key} {key}", secret), 0o600, "holds no key"),
        (("", secret), 0o600, "holds no key"),
    ):
        answer = await desk.rekey(*given, mode=mode)
        code, said = (4, "") if word != "is in use" else await desk.typed(*given)
        assert code == 4 and (not said or word in said), said
        told = "; ".join(answer.get("missing", ())) or answer.get("error", "")
        assert not answer["ok"] and word in told, (word, answer)
        assert secret not in str(answer) and key not in str(answer)
    assert desk.taken == []
    seq = desk.twin.ledger.seq
    await desk.until(lambda: desk.orders_since(seq) > 3)
    assert not desk.engine.safety.gate.missing and b"rekey" not in journal(desk)


async def test_a_key_that_was_refused_is_replaced_while_it_runs(desk: KeyDesk) -> None:
    """The first one was deleted before anybody thought of it."""
    del desk.twin.keys[KEYS["main"][0]]
    for socket in desk.engine.gateway.sockets:
        socket.restart("the venue cuts what it does not know any more")
    await desk.until(lambda: desk.engine.gateway.halts.why(SYMBOL))
    seq = desk.twin.ledger.seq
    assert (await desk.rekey(*KEYS["spare"]))["ok"]
    await desk.until(lambda: desk.engine.gateway.halts.why(SYMBOL) == "")
    await desk.until(lambda: not desk.engine.safety.gate.missing)
    await desk.until(lambda: desk.orders_since(seq) > 3)


async def test_a_watchdog_with_the_new_key_takes_over(desk: KeyDesk) -> None:
    settings = desk.engine.settings
    job = job_of(settings, _endpoints(desk.twin.port), budget_scale=SCALE)
    log, guards = settings.data_dir / "watchdog.log", list[Guard]()
    key, secret = map(Secret, KEYS["main"])
    watching = Watching(job, (key, secret, "BYBIT_API_KEY"))

    def watches(number: int) -> bool:
        return log.exists() and log.read_text().count("watching") >= number

    guards.append(watching.start())
    try:
        await desk.until(lambda: watches(1))
        desk.engine.on_rekeyed = lambda keys: guards.append(watching.rekey(keys))
        assert (await desk.rekey(*KEYS["spare"]))["ok"]
        del desk.twin.keys[KEYS["main"][0]]
        await desk.until(lambda: not guards[0].is_running and watches(2))
        assert guards[1].is_running and "ALARM" not in log.read_text()
    finally:
        for guard in guards:
            guard.process.kill()
            guard.process.wait()
