# SPDX-License-Identifier: Apache-2.0
"""A session's market as a file: what comes back, what a hole does, what is refused, and that a
backtest over it is the session, bit by bit."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from hean.backtest.run import Backtest, BacktestSettings
from hean.backtest.tiers import Tier
from hean.core.types import Book, Funding, Health, Payload, Tick
from hean.errors import DataInvalid, InputError, ParameterInvalid, UnknownSymbol
from hean.feeds.history import History
from hean.feeds.recording import (
    Opening,
    RecordedMarket,
    Recording,
    SessionRecorder,
    finish_left,
    is_session_recording,
    load_market,
)
from sessions import S_NS, START_NS, STRATEGY, TERMS, frames, recorded_session, rewritten, without

OPENING = Opening("a test", TERMS, "0")
FACTS: list[tuple[Payload, ...]] = [
    (Tick("BTCUSDT", 1_000.1, 0.1 + 0.2, 7, None, 1_000.2),),
    (
        Book("BTCUSDT", ((1e-8, 3.0),), (), False, 9),
        Funding("BTCUSDT", -0.0001, START_NS + 5, 1_000.5),
    ),
    (Health("feed", "STALE", 3, {"symbol": "BTCUSDT", "why": "silent"}),),
]


def write(path: Path, facts: list[tuple[Payload, ...]], *, ends: bool = True) -> Path:
    recorder = SessionRecorder(path, OPENING, start_ns=START_NS)
    for number, each in enumerate(facts):
        recorder.frame(START_NS + number * S_NS, each)
    recorder.close(START_NS + 1_000 * S_NS if ends else None)
    return path


def test_every_fact_comes_back_with_its_moment(tmp_path: Path) -> None:
    recording = Recording(write(tmp_path / "tape.jsonl.gz", FACTS))
    expected = [(n + 1, START_NS + n * S_NS, facts) for n, facts in enumerate(FACTS)]
    assert list(recording) == expected
    assert list(recording) == expected  # as often as asked
    assert recording.opening == OPENING
    assert (recording.start_ns, recording.end_ns) == (START_NS, START_NS + 1_000 * S_NS)
    assert (recording.frames, recording.holes, recording.is_ended) == (3, 0, True)


def test_a_backtest_over_the_recording_is_the_session(tmp_path: Path) -> None:
    _, recording, summary = recorded_session(tmp_path)
    market = load_market([recording], ["BTCUSDT"])
    result, _ = Backtest(BacktestSettings(STRATEGY, ("BTCUSDT",)), market).run()
    assert summary["fills"] > 20
    for name in ("state_hash", "fills", "orders", "events", "net_pnl", "fees", "start"):
        assert result[name] == summary[name], name
    (found,) = result["data"]
    assert (found["file"], found["gaps"]) == ("tape.jsonl.gz", 0)
    assert found["rows"] == sum(1 for _ in frames(90))


def test_blocks_do_not_change_what_is_played(tmp_path: Path, monkeypatch: object) -> None:
    _, recording, summary = recorded_session(tmp_path, 20)
    for size in (1, 7, 10_000):
        monkeypatch.setattr("hean.feeds.recording.BLOCK_FRAMES", size)  # type: ignore[attr-defined]
        market = load_market([recording], ["BTCUSDT"])
        result, _ = Backtest(BacktestSettings(STRATEGY, ("BTCUSDT",)), market).run()
        assert result["state_hash"] == summary["state_hash"]


def test_a_session_that_died_is_played_up_to_its_last_frame(tmp_path: Path) -> None:
    recording = Recording(write(tmp_path / "tape.jsonl.gz", FACTS, ends=False))
    assert not recording.is_ended
    assert recording.end_ns == START_NS + 2 * S_NS + 1
    assert recording.frames == 3


def test_what_a_dead_process_left_gets_its_name(tmp_path: Path) -> None:
    path = tmp_path / "bybit_linear_session_x.jsonl.gz"
    write(path, FACTS, ends=False).rename(tmp_path / f".{path.name}.part")
    finish_left(tmp_path)
    assert Recording(path).frames == 3


def test_after_a_hole_no_book_is_believed_until_its_next_snapshot(tmp_path: Path) -> None:
    whole, change = ((1_000.0, 1.0),), ((1_000.1, 2.0),)
    tick = Tick("BTCUSDT", 1_000.0, 1.0, 0)
    facts: list[tuple[Payload, ...]] = [
        (Book("BTCUSDT", whole, change, True),),
        (tick,),
        (Book("BTCUSDT", change, (), False), tick),
        (Book("BTCUSDT", whole, change, True),),
        (Book("BTCUSDT", change, (), False),),
    ]
    path = write(tmp_path / "tape.jsonl.gz", facts)
    recording = Recording(without(path, START_NS + S_NS, START_NS + S_NS))
    assert recording.holes == 1
    market = RecordedMarket(recording, ["BTCUSDT"])
    taken: list[tuple[Payload, ...]] = []
    market.take = lambda at_ns, facts: taken.append(facts) or at_ns  # type: ignore[method-assign]
    core = Backtest(
        BacktestSettings(STRATEGY, ("BTCUSDT",)), RecordedMarket(recording, ["BTCUSDT"])
    ).venue.core
    market.more(core)
    empty = Book("BTCUSDT", (), (), True)
    assert taken == [facts[0], (empty, tick), facts[3], facts[4]]
    assert any("1 holes" in note for note in market.notes)


def test_a_run_may_take_one_symbol_of_several(tmp_path: Path) -> None:
    other = [TERMS[0], type(TERMS[0])("ETHUSDT", *list(_fields(TERMS[0]))[1:])]
    recorder = SessionRecorder(
        tmp_path / "t.jsonl.gz", Opening("a test", other, "0"), start_ns=START_NS
    )
    recorder.frame(START_NS, (Tick("ETHUSDT", 9.0, 1.0, 0), Tick("BTCUSDT", 8.0, 1.0, 0)))
    recorder.close(START_NS + S_NS)
    market = load_market([tmp_path / "t.jsonl.gz"], ["BTCUSDT"])
    Backtest(BacktestSettings(STRATEGY, ("BTCUSDT",)), market).run()
    assert [list(p) for p in market.closes("BTCUSDT")] == [[START_NS], [8.0]]
    with pytest.raises(UnknownSymbol, match="the session had BTCUSDT, ETHUSDT, not DOGEUSDT"):
        load_market([tmp_path / "t.jsonl.gz"], ["DOGEUSDT"])


def _fields(row: object) -> list[object]:
    return [getattr(row, name) for name in row.__struct_fields__]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("line", "new", "why"),
    [
        (3, b"nonsense", "line 3: invalid literal"),
        (3, b'1 {"n":2,"facts":[]}', "line 3: moment 1 after"),
        (3, b'%d {"n":1,"facts":[]}', "line 3: frame 1 after 1"),
        (3, b"%d {}", "line 3: frame 0 after 1"),
        (3, b'%d {"n":2}', "line 3: neither facts nor end"),
        (3, b'%d {"n":2,"facts":[["TICK",{"symbol":"BTCUSDT"}]]}', "line 3: Object missing"),
        (3, b'%d {"n":2,"facts":[["NEWS",{}]]}', "line 3: Invalid enum value 'NEWS'"),
        (3, b'%d {"end":1}', "line 4: moment"),
        (1, b'%d {"n":1,"facts":[]}', "line 1: no opening"),
    ],
)
def test_a_damaged_recording_is_refused_with_the_line(
    tmp_path: Path, line: int, new: bytes, why: str
) -> None:
    path = write(tmp_path / "tape.jsonl.gz", FACTS)
    lines = gzip.decompress(path.read_bytes()).splitlines()
    lines[line - 1] = new % (START_NS + S_NS + line) if b"%d" in new else new
    path.write_bytes(gzip.compress(b"\n".join(lines) + b"\n"))
    with pytest.raises(DataInvalid, match=why):
        Recording(path)


def test_a_fact_of_a_symbol_nobody_listed_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "tape.jsonl.gz", [(Tick("ETHUSDT", 9.0, 1.0, 0),)])
    with pytest.raises(DataInvalid, match="ETHUSDT, which the opening does not list"):
        Recording(path)


def test_a_torn_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "tape.jsonl.gz", FACTS * 50)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataInvalid, match="cannot be read"):
        Recording(path)


def test_a_session_is_played_alone_and_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "tape.jsonl.gz", FACTS)
    second = rewritten(path, "second.jsonl.gz", lambda _, line: line)
    with pytest.raises(DataInvalid, match="played alone"):
        load_market([path, second], ["BTCUSDT"])
    with pytest.raises(DataInvalid, match="played whole"):
        load_market([path], ["BTCUSDT"], start_ns=START_NS + S_NS)
    with pytest.raises(ParameterInvalid, match="tier event or wake"):
        Backtest(
            BacktestSettings("impulse", ("BTCUSDT",), tier=Tier.NATIVE),
            load_market([path], ["BTCUSDT"]),
        )


def test_other_files_are_no_recordings_and_load_as_ever(tmp_path: Path, shared: Path) -> None:
    candles = shared / "data/perp/binance_perp_BTCUSDT_5m_2025-09-01_2025-10-31.parquet"
    capture = shared / "data/l2/binance_perp_BTCUSDT_raw_2024-08-08.txt.gz"
    broken = tmp_path / "x.jsonl.gz"
    broken.write_bytes(b"not gzip")
    assert not any(map(is_session_recording, (candles, capture, broken, tmp_path / "none.jsonl")))
    assert isinstance(load_market([capture], ["BTCUSDT"]), History)


def test_a_recording_is_never_written_over(tmp_path: Path) -> None:
    path = write(tmp_path / "tape.jsonl.gz", FACTS)
    with pytest.raises(InputError, match="exists"):
        SessionRecorder(path, OPENING, start_ns=START_NS)
