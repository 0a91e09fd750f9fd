# SPDX-License-Identifier: Apache-2.0
"""`folder.py`: a model's folder on the disk. It is written whole or not at all, and read with a
limit on everything; what it holds is judged by `hean.models.artefact`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from hean.errors import EnvironmentFault, InputError
from hean.models.artefact import (
    MANIFEST,
    LearnedModel,
    Manifest,
    ModelRefused,
    read_manifest,
    refuse_pickle,
)

FILE_BYTES_MAX = 64 << 20
FILES_MAX = 20


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 of each file."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def check_free(folder: Path) -> None:
    """Refuse now what could not be written after an hour of training. A model is never replaced:
    somebody may be trading with it.
    """
    if os.path.lexists(folder):
        raise InputError(f"{folder}: exists; a model is never written over. Choose another name.")
    if not folder.parent.is_dir():
        raise EnvironmentFault(f"{folder}: no folder {folder.parent}; make it first.")
    if not os.access(folder.parent, os.W_OK):
        raise EnvironmentFault(f"{folder}: no right to write there.")


def write_model(folder: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Write a model's folder. *Raises*: `EnvironmentFault`, `InputError`."""
    check_free(folder)
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    try:
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".hean-", suffix=".part"))
        try:
            for name, content in {**files, MANIFEST: text}.items():
                (temporary / name).write_bytes(content)
            temporary.chmod(0o755)
            temporary.rename(folder)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    except OSError as error:
        raise EnvironmentFault(f"{folder}: cannot be written ({error.strerror}).") from error


def read_files(folder: Path) -> tuple[Manifest, dict[str, bytes]]:
    """Manifest and every file it names. *Raises*: `ModelRefused` for a pickle, a file that is
    missing, too large or outside the folder.
    """
    refuse_pickle(folder.name)
    if folder.is_file() and (folder.parent / MANIFEST).is_file():
        folder = folder.parent  # one of the files was named
    if not folder.is_dir():
        raise ModelRefused(f"{folder}: no model folder; `hean ml train` makes one.")
    manifest = read_manifest(_content(folder / MANIFEST))
    if len(manifest.files) > FILES_MAX:
        raise ModelRefused(f"{folder}: more than {FILES_MAX} files.")
    files: dict[str, bytes] = {}
    for name in manifest.files:
        refuse_pickle(name)
        if name != Path(name).name or name in ("", ".", ".."):
            raise ModelRefused(f"{MANIFEST}: file {name!r} is not in the folder.")
        files[name] = _content(folder / name)
    return manifest, files


def load_model(folder: Path) -> LearnedModel:
    """A model that fits its manifest, ready to answer. *Raises*: `ModelRefused`."""
    return LearnedModel(*read_files(folder))


def _content(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise ModelRefused(f"{path}: not there.")
        if path.stat().st_size > FILE_BYTES_MAX:
            raise ModelRefused(f"{path}: larger than {FILE_BYTES_MAX:,} bytes.")
        return path.read_bytes()
    except OSError as error:
        raise ModelRefused(f"{path}: {error.strerror}.") from error
