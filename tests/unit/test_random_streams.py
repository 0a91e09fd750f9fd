# SPDX-License-Identifier: Apache-2.0
"""Random numbers of the core: the counter-based ones against NumPy, the sequential ones against
their definition in plain integers.
"""

from __future__ import annotations

import numpy as np
import pytest

from hean._core import philox, splitmix64, xoshiro256starstar

WORD = 2**64


def words(rng: np.random.Generator, count: int) -> list[int]:
    return [int(word) for word in rng.integers(0, WORD, size=count, dtype=np.uint64)]


@pytest.mark.parametrize("seed", range(5))
def test_philox_blocks_are_numpys_one_counter_later(seed):
    """NumPy counts up before its first block; over the end of a word, too."""
    rng = np.random.default_rng(seed)
    key, counter = words(rng, 2), words(rng, 4)
    if seed == 4:
        counter = [WORD - 1, WORD - 1, 7, 0]
    unsigned = [np.array(part, dtype=np.uint64) for part in (key, counter)]
    drawn = np.random.Philox(key=unsigned[0], counter=unsigned[1]).random_raw(8).tolist()
    whole = sum(word << 64 * place for place, word in enumerate(counter))
    for block in range(2):
        at = [(whole + 1 + block) >> 64 * place & WORD - 1 for place in range(4)]
        assert philox(key, at) == drawn[4 * block : 4 * block + 4]


def test_a_block_depends_on_key_and_counter_alone():
    blocks = {
        tuple(philox([7, stream], [3, agent, 0, 0])) for stream in range(3) for agent in range(3)
    }
    assert len(blocks) == 9
    assert philox([7, 1], [3, 2, 0, 0]) == philox([7, 1], [3, 2, 0, 0])


@pytest.mark.parametrize("seed", [0, 1, 1234567, WORD - 1])
def test_splitmix_is_its_definition(seed):
    expected, state = [], seed
    for _ in range(20):
        state = (state + 0x9E3779B97F4A7C15) % WORD
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % WORD
        z = (z ^ z >> 27) * 0x94D049BB133111EB % WORD
        expected.append(z ^ z >> 31)
    assert splitmix64(seed, 20) == expected
    assert splitmix64(seed, 5) == expected[:5]


@pytest.mark.parametrize("seed", range(3))
def test_xoshiro_is_its_definition(seed):
    def turned(word: int, by: int) -> int:
        return (word << by | word >> 64 - by) % WORD

    state = words(np.random.default_rng(seed), 4)
    s, expected = list(state), []
    for _ in range(20):
        expected.append(turned(s[1] * 5 % WORD, 7) * 9 % WORD)
        shifted = (s[1] << 17) % WORD
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= shifted
        s[3] = turned(s[3], 45)
    assert xoshiro256starstar(state, 20) == expected


def test_bad_seeds_are_refused():
    with pytest.raises(ValueError, match="zeros"):
        xoshiro256starstar([0, 0, 0, 0], 1)
    for call in (
        lambda: philox([0], [0] * 4),
        lambda: philox([0] * 2, [0] * 3),
        lambda: splitmix64(WORD, 1),
        lambda: splitmix64(-1, 1),
    ):
        with pytest.raises((ValueError, OverflowError)):
            call()
