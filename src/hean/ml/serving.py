# SPDX-License-Identifier: Apache-2.0
"""`serving.py`: the modules that let a trained model speak, the same in every mode of operation:
its features, computed as in its training, and the model itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hean.core.module import Module
from hean.errors import ParameterInvalid
from hean.ml.folder import load_model
from hean.models.features import Features
from hean.models.ml import DEADLINE_MS, MlModel


def serving(
    folder: str, lengths: Iterable[tuple[str, str]], *, deadline_ms: float = DEADLINE_MS
) -> tuple[Module, ...]:
    """Modules for the model in *folder*; none without one. *lengths*: symbols that are traded, each
    with the length of its bars. *Raises*: `ModelRefused`; `ParameterInvalid` if the model is about
    another symbol or another length of bar, which it would wait for in silence.
    """
    if not folder:
        return ()
    model = load_model(Path(folder))
    manifest = model.manifest
    traded = dict(lengths)
    if traded.get(manifest.symbol) != manifest.timeframe:
        here = ", ".join(f"{symbol} in bars of {length}" for symbol, length in traded.items())
        raise ParameterInvalid(
            f"model {manifest.name} is about {manifest.symbol} in bars of {manifest.timeframe}; "
            f"here is {here}."
        )
    names = [spec.name for spec in manifest.features]
    return Features(names, manifest.timeframe), MlModel(model, deadline_ms=deadline_ms)
