#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the release wheel into dist/. The page lies in the package for as long as that takes:
# maturin takes every file there that git does not ignore, and a copy that stayed would hide
# a newer one.
set -eu
cd "$(dirname "$0")/.."
PAGE=src/hean/page
trap 'rm -rf "$PAGE"' EXIT INT TERM
rm -rf "$PAGE"
cp -R ui/dist "$PAGE"
.venv/bin/maturin build --release --locked --out dist "$@"
