#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Rewrites the hashed lock files from pyproject.toml and requirements/*.in. Locks name packages,
# versions and hashes, never the host they came from, so they work behind any mirror.
# Pass --upgrade to move every pin to its newest version; without it, valid pins stay.
set -eu
cd -- "$(dirname -- "$0")/.."
UV=$(command -v uv || echo .hean/boot/bin/uv)

lock() {
    target=requirements/$1.txt
    shift
    "$UV" pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
        --no-emit-index-url --no-annotate "$@" --output-file "$target"
    if grep -n '://' "$target"; then
        echo "lock.sh: $target names a host" >&2
        exit 1
    fi
}

lock boot requirements/boot.in "$@"
lock core pyproject.toml requirements/core.in "$@"
lock bench requirements/bench.in "$@"
lock ml requirements/ml.in "$@"
lock notify requirements/notify.in "$@"
lock analytics requirements/analytics.in "$@"
lock postgres requirements/postgres.in "$@"
lock kafka requirements/kafka.in "$@"
lock dask requirements/dask.in "$@"
lock dev requirements/dev.in "$@"
lock containers requirements/containers.in "$@"
lock peers requirements/peers.in "$@"
lock node requirements/node.in "$@"
lock freqtrade requirements/freqtrade.in "$@"
