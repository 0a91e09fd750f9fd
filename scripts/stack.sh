# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034 # used by who reads it
# What the scripts of the stack share; they read this file. Exit codes are those of `hean`:
#   0 done   1 finished with a bad result   2 wrong usage   3 the environment lacks something
#   4 refused, because it is not safe
# HEAN_STACK_ENGINE and HEAN_STACK_COMPOSE name other programs than docker and docker compose.

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
usage_error() { say "$*; see --help"; exit 2; }
lacks() { say "$*"; exit 3; }
refuse() { say "$*"; exit 4; }

SECRETS=${HEAN_STACK_SECRETS:-./secrets}
ENGINE=${HEAN_STACK_ENGINE:-docker}

need() { command -v "$1" >/dev/null 2>&1 || lacks "needs $1: $2"; }

# Sets COMPOSE, one or more words.
find_compose() {
    if [ -n "${HEAN_STACK_COMPOSE-}" ]; then
        COMPOSE=$HEAN_STACK_COMPOSE
    elif docker compose version >/dev/null 2>&1; then
        COMPOSE="docker compose"
    elif command -v docker-compose >/dev/null 2>&1; then
        COMPOSE=docker-compose
    else
        lacks "needs Docker Compose 2.24 or newer, as docker compose or docker-compose"
    fi
}
