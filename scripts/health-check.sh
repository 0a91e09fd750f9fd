#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
cd -- "$(dirname -- "$0")/.."
. scripts/stack.sh

help() {
    cat <<'TEXT'
Usage: scripts/health-check.sh [-v] [-e development|production] [--url URL]
Whether every container that runs is healthy, and the API answers through the door.

  -v           one line for each container, and what the API says of itself
  -e NAME      production: the door speaks TLS on port 3443
  --url URL    of the door; default http://127.0.0.1:3000
  -h, --help   this text

The port is HEAN_STACK_UI_PORT or HEAN_STACK_TLS_PORT. -v asks with the token in HEAN_TOKEN_FILE, if
that is set.

Exit codes: 0 healthy, 1 not, 2 wrong usage, 3 something is missing.
TEXT
}

verbose=false environment=development url=""
while [ $# -gt 0 ]; do
    case $1 in
    -v | --verbose) verbose=true ;;
    -e | --environment) [ $# -gt 1 ] || usage_error "$1 wants a name"; environment=$2; shift ;;
    --url) [ $# -gt 1 ] || usage_error "--url wants an address"; url=$2; shift ;;
    -h | --help) help; exit 0 ;;
    *) usage_error "unknown option $1" ;;
    esac
    shift
done
case $environment in
development) door=http://127.0.0.1:${HEAN_STACK_UI_PORT:-3000} ;;
production) door=https://127.0.0.1:${HEAN_STACK_TLS_PORT:-3443} ;;
*) usage_error "environment $environment; known: development production" ;;
esac
url=${url:-$door}
need curl "apt-get install curl"
find_compose

bad=0
# shellcheck disable=SC2086 # words
states=$($COMPOSE --profile '*' ps -a --format '{{.Service}} {{.State}} {{.Health}}') ||
    lacks "$COMPOSE ps does not answer; is the engine running?"
[ -n "$states" ] || { say "nothing runs: scripts/deploy.sh up"; exit 1; }
while read -r service state health; do
    [ "$state" = running ] && [ "${health:-healthy}" = healthy ] || bad=1
    if $verbose || [ "$bad" -ne 0 ]; then printf '%s %s %s\n' "$service" "$state" "$health"; fi
done <<TEXT
$states
TEXT

ask() { # PATH [HEADERS-FILE]
    set -- "$1" ${2:+-H "@$2"}
    path=$1
    shift
    curl -fsS -m 10 --cacert "$SECRETS/ui_certificate" "$@" "$url$path"
}
ask /health/live >/dev/null || { say "$url/health/live does not answer"; bad=1; }
if $verbose && [ -n "${HEAN_TOKEN_FILE-}" ]; then
    headers=$(mktemp) # not in the list of processes
    printf 'Authorization: Bearer %s\n' "$(cat "$HEAN_TOKEN_FILE")" >"$headers"
    ask /api/health "$headers" || bad=1
    echo
    rm -f "$headers"
fi
[ "$bad" -eq 0 ] && say healthy
exit "$bad"
