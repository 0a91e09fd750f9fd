#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Starts nginx with the name server of this container, so that a service which comes back at another
# address is found again. --check: whether the API answers through it, for the health check.
set -eu
if [ "${1-}" = --check ]; then
    # No client is sure to be in the image but one of these two.
    url=http://127.0.0.1/health/live
    command -v wget >/dev/null && exec wget -q -T 4 -O /dev/null "$url"
    exec curl -fsS -m 4 -o /dev/null "$url"
fi
server=$(awk '$1 == "nameserver" { print ($2 ~ /:/) ? "[" $2 "]" : $2; exit }' /etc/resolv.conf)
cd "${TMPDIR:-/tmp}"
printf 'resolver %s valid=5s;\n' "${server:-127.0.0.11}" >resolver.conf
exec nginx -e stderr -c /etc/hean/nginx.conf -g 'daemon off;'
