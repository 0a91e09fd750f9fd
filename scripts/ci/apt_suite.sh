#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# apt_suite.sh SUITE PACKAGE...   unpacks newer Debian builds below .cache/apt and installs nothing:
# their programs are in .cache/apt/SUITE/root/usr/bin. The mirror is the one the machine uses.
set -eu
suite=$1
shift
eval "$(apt-config shell PARTS Dir::Etc::sourceparts/d)"
place=$PWD/.cache/apt/$suite
mkdir -p "$place/lists/partial" "$place/archives/partial" "$place/deb" "$place/root"
awk 'BEGIN{RS=""} NR==1' "${PARTS}debian.sources" |
    sed -E "s/^Suites:.*/Suites: $suite/; s/^Components:.*/Components: main/; /^#/d" \
        >"$place/debian.sources"
printf 'Dir::Etc::sourcelist "%s/debian.sources";\nDir::Etc::sourceparts "-";\n' \
    "$place" >"$place/apt.conf"
printf 'Dir::State::lists "%s/lists";\nDir::Cache "%s";\n' "$place" "$place" >>"$place/apt.conf"
export APT_CONFIG="$place/apt.conf"
apt-get update -qq
(cd "$place/deb" && apt-get download -qq "$@" 2>/dev/null)
for package in "$place"/deb/*.deb; do
    dpkg -x "$package" "$place/root"
done
