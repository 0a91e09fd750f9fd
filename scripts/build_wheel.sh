#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the release wheel into dist/. The page lies in the package for as long as that takes:
# maturin takes every file there that git does not ignore, and a copy that stayed would hide
# a newer one. MATURIN names another builder than the one of .venv, WHEEL_FOLDER another folder.
set -eu
cd "$(dirname "$0")/.."
PAGE=src/hean/page
NEW=$PAGE.$$ # comes and goes whole: who starts meanwhile sees all of the page or none of it
trap 'rm -rf "$PAGE" "$NEW"' EXIT INT TERM
rm -rf "$PAGE"
cp -R ui/dist "$NEW"
mv "$NEW" "$PAGE"
"${MATURIN:-.venv/bin/maturin}" build --release --locked --out "${WHEEL_FOLDER:-dist}" "$@"
