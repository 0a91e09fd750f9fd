# SPDX-License-Identifier: Apache-2.0
"""One engine and one set of images for all tests of this folder that need containers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from containers.engine import Engine, require_engine
from containers.stack import Images, Stack


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    require_engine()
    with Engine() as engine:
        yield engine
    assert engine.left() == []


@pytest.fixture(scope="module")
def images(engine, tmp_path_factory) -> Images:
    images = Images(engine, tmp_path_factory.mktemp("images"))
    images.stand_in("redis", "library/redis:7-alpine")
    images.stand_in("nginx", "library/nginx:1-alpine")
    images.stand_in("python", "library/python:3.11-slim-bookworm")
    images.ours()
    return images


@pytest.fixture(scope="module")
def stack(engine, images, tmp_path_factory) -> Iterator[Stack]:
    stack = Stack(engine, tmp_path_factory.mktemp("stack"))
    engine.run("scripts/setup_all.sh", "--secrets-only")
    yield stack
    stack.down()
