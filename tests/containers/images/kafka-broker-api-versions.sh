#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# --bootstrap-server HOST:PORT: whether a broker answers there to ApiVersions, the first question of
# every client.
set -eu
exec 3<>"/dev/tcp/${2%:*}/${2#*:}"
printf '\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x07\xff\xff' >&3
answer=$(timeout 10 head -c 10 <&3 | od -An -tx1 | tr -d ' \n')
[ "${answer:8:12}" = 000000070000 ] # our number, and no error
