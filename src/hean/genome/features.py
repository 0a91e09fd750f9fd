# SPDX-License-Identifier: Apache-2.0
"""`features.py`: numbers beside those of the grammar: the user's own, `path.py:name`, a function
from columns of bars to a column, and those that HEAN brings, `hean:name`. What one says of a bar
must not change when later bars are added: that is proven on the very data before anything is bred
on it, bit by bit, and a feature that knows the future is refused.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hean.errors import LookAhead, ParameterInvalid
from hean.genome.own_features import OWN, Own
from hean.genome.tree import INPUTS, WINDOWED

Values = npt.NDArray[np.float64]
Bars = Mapping[str, Values]
COLUMNS = ("open", "high", "low", "close", "volume")
FEATURES_MAX = 16
BROUGHT = "hean"
PROVEN_MAX, PLACES = 20_000, 300  # bars of the proof of those that HEAN brings, and how many
DENSE, RANDOM = 64, 50  # cuts of the proof: neighbours at two places, and anywhere
TAKEN = {*INPUTS, *WINDOWED, "min", "max", "of", "and", "or", "when", "regime", "atr", "bars"}


class Feature:
    """A function under its name. *digest*: SHA-256 of the user's file. *own*: of those that HEAN
    brings.
    """

    def __init__(
        self,
        name: str,
        function: Callable[[Bars], Any],
        digest: str = "",
        own: Own | None = None,
    ) -> None:
        self.name = name
        self.function = function
        self.digest = digest
        self.own = own

    @property
    def memory(self) -> int | None:
        """Bars that a value depends on, the present one included; `None` for any number."""
        return None if self.own is None else self.own.memory

    def column(self, bars: Bars) -> Values:
        """A number for each bar; what is not finite counts as undefined.
        *Raises*: `ParameterInvalid` for another shape, or if the function raises.
        """
        return self._asked(self.function, bars)

    def latest(self, bars: Bars) -> float:
        """The number of the last bar. *bars*: as many as it depends on, or more. *Raises*: as
        `column`."""
        if self.own is None:
            return float(self.column(bars)[-1])
        cut = {name: column[-self.own.memory :] for name, column in bars.items()}
        return float(self._asked(self.own.latest, cut)[-1])

    def _asked(self, function: Callable[[Bars], Any], bars: Bars) -> Values:
        count = bars["close"].size
        try:
            found = np.array(function(bars), dtype=np.float64)
        except Exception as error:  # reason: a user's function may raise anything
            raise ParameterInvalid(
                f"feature {self.name}: {type(error).__name__}: {error}"
            ) from error
        if found.shape != (count,):
            raise ParameterInvalid(
                f"feature {self.name}: shape {found.shape} for {count} bars; due: ({count},)."
            )
        found[~np.isfinite(found)] = np.nan
        return found


def load(spec: str) -> Feature:
    """The feature `path.py:name`, or `hean:name`. *Raises*: `ParameterInvalid`."""
    file, _, name = spec.rpartition(":")
    if file == BROUGHT:
        return _brought(name)
    path = Path(file)
    if not path.is_file():
        raise ParameterInvalid(f"feature {spec!r}: no file {file!r}; give path.py:function.")
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,30}", name) or name in TAKEN:
        raise ParameterInvalid(f"feature {name!r}: taken by the grammar, or no plain lower name.")
    module_spec = importlib.util.spec_from_file_location(f"hean_feature_{path.stem}", path)
    if module_spec is None or module_spec.loader is None:
        raise ParameterInvalid(f"feature {spec!r}: not a Python file.")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_spec.name] = module
    try:
        module_spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # reason: a user's file may raise anything
        raise ParameterInvalid(f"feature {spec!r}: {type(error).__name__}: {error}") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise ParameterInvalid(f"feature {spec!r}: the file has no function {name!r}.")
    return Feature(name, function, hashlib.sha256(path.read_bytes()).hexdigest())


def _brought(name: str) -> Feature:
    if name not in OWN:
        nearest = difflib.get_close_matches(name, OWN, n=1, cutoff=0.0)[0]
        raise ParameterInvalid(
            f"feature {BROUGHT}:{name}; known: {', '.join(OWN)}; nearest {nearest}."
        )
    return Feature(name, OWN[name].column, own=OWN[name])


def load_all(specs: Sequence[str]) -> tuple[Feature, ...]:
    """Every feature, each name once. *Raises*: `ParameterInvalid`."""
    found = tuple(load(spec) for spec in specs)
    names = [each.name for each in found]
    if len(set(names)) < len(names) or len(names) > FEATURES_MAX:
        raise ParameterInvalid(
            f"features {', '.join(names)}; give up to {FEATURES_MAX} of different names."
        )
    return found


def prove(feature: Feature, bars: Bars, *, seed: int = 0) -> None:
    """Prefix invariance: the column of the first bars is the beginning of the whole column, to the
    bit, for many cuts; and what comes after a cut may be anything. Of a feature with a bounded past
    more: at many bars it says the same when it is given that past and no other bar.

    *Raises*: `LookAhead` naming the cut and the first bar that knew more than it could.
    """
    if feature.own is not None:
        _prove_bounded(feature, {name: each[:PROVEN_MAX] for name, each in bars.items()}, seed)
        return
    count = bars["close"].size
    whole = feature.column(bars)
    draw = _draw(seed, count)
    middle = max(count // 2 - DENSE // 2, 1)
    cuts = {*range(middle, min(middle + DENSE, count)), count - 1}
    cuts |= {*range(1, DENSE), *(2**power for power in range(count.bit_length()))}  # warm-ups
    cuts |= set(draw.integers(1, count, RANDOM).tolist())
    for cut in sorted(cut for cut in cuts if 0 < cut < count):
        prefix = {name: column[:cut] for name, column in bars.items()}
        changed = {name: _other(column, cut) for name, column in bars.items()}
        for seen in (feature.column(prefix), feature.column(changed)[:cut]):
            differs = seen.view(np.uint64) != np.ascontiguousarray(whole[:cut]).view(np.uint64)
            if differs.any():
                first = int(np.flatnonzero(differs)[0])
                raise LookAhead(
                    f"feature {feature.name} looks ahead: at bar {first} it says "
                    f"{whole[first]:g} with all bars and {seen[first]:g} with those before bar "
                    f"{cut} only, or others after; it must not change."
                )


def _prove_bounded(feature: Feature, bars: Bars, seed: int) -> None:
    """The value of a bar, computed from its past alone, is that of the whole column."""
    count = bars["close"].size
    whole = feature.column(bars)
    cuts = {*range(1, min(PLACES, count)), *_draw(seed, count).integers(1, count, PLACES).tolist()}
    for cut in sorted(cuts):
        alone = feature.latest({name: column[:cut] for name, column in bars.items()})
        if np.float64(alone).tobytes() != whole[cut - 1].tobytes():
            raise LookAhead(
                f"feature {feature.name} looks beyond its {feature.memory} bars: at bar {cut - 1} "
                f"it says {whole[cut - 1]:g} with all bars and {alone:g} with those only."
            )


def _draw(seed: int, count: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=np.array([seed, count], dtype=np.uint64)))


def _other(column: Values, cut: int) -> Values:
    """Another future: the same bars backwards, ten times as high."""
    return np.concatenate([column[:cut], column[cut:][::-1] * 10])
