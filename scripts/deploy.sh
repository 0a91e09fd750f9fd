#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
cd -- "$(dirname -- "$0")/.."
. scripts/stack.sh

help() {
    cat <<'TEXT'
Usage: scripts/deploy.sh [-e development|production] [--profile NAME]... COMMAND [ARGUMENT]...
Starts, watches and stops the stack of docker-compose.yml with the overlay of an environment.

  up [--scale SERVICE=N]...   start, and wait until all are healthy; for development it first makes
                              the secrets and images that lack
  down [-v]                   stop; -v deletes journals and tables, and asks for DELETE
  logs [SERVICE]              follow the logs
  ps, restart [SERVICE], config

  -e NAME          development (default) or production
  --profile NAME   also full, kafka or hft
  --keydb          Valkey, or what HEAN_CACHE_IMAGE says, in the place of Redis
  -h, --help       this text

Variables come from .env and, before it, .env.dev or .env.prod. --scale takes what reads only
(market-data); an engine, an executor or a model exists once and is refused.

Exit codes: 0 done, 1 a service is not healthy, 2 wrong usage, 3 something is missing, 4 not safe.
TEXT
}

SCALABLE=market-data

# Files that hold a password or key are there, closed to others, and not of a length to guess.
check_secrets() {
    for each in secret_key redis_auth redis_url api_key ui_key fleet_key fleet_token; do
        [ -f "$SECRETS/$each" ] || lacks "no $SECRETS/$each: scripts/setup_all.sh --secrets-only"
        [ "$(wc -c <"$SECRETS/$each")" -ge 32 ] ||
            refuse "$SECRETS/$each is too short for a secret: openssl rand -hex 32"
    done
    rights=$(stat -c %a "$SECRETS")
    [ "$rights" = 700 ] || refuse "$SECRETS is open to others ($rights): chmod 700 $SECRETS"
}

# Development wants no second command: what lacks is made.
make_what_lacks() {
    # Who is not root keeps the secrets, so the images run as that one.
    [ "$(id -u)" -eq 0 ] || export HEAN_STACK_UID="${HEAN_STACK_UID:-$(id -u)}"
    if [ ! -f "$SECRETS/secret_key" ] || [ ! -f "$SECRETS/fleet_token" ]; then
        scripts/setup_all.sh --secrets-only
    fi
    need "$ENGINE" "install Docker, or podman as HEAN_STACK_ENGINE"
    registry=${HEAN_STACK_REGISTRY-}
    version=${HEAN_STACK_VERSION:-latest}
    for each in "hean:$version-development" "hean-ui:$version"; do
        if ! "$ENGINE" image inspect "$registry$each" >/dev/null 2>&1; then
            say "no image $registry$each yet; it is built, which takes minutes"
            scripts/docker-build.sh --dev --version "$version" \
                ${registry:+--registry "${registry%/}"} || exit 1
            return
        fi
    done
}

environment=development profiles="" cache=""
while [ $# -gt 0 ]; do
    case $1 in
    -e | --environment) [ $# -gt 1 ] || usage_error "$1 wants a name"; environment=$2; shift ;;
    --profile) [ $# -gt 1 ] || usage_error "$1 wants a name"
        profiles="$profiles --profile $2"; shift ;;
    --keydb) cache="-f docker-compose.keydb.yml" ;;
    -h | --help) help; exit 0 ;;
    -*) usage_error "unknown option $1" ;;
    *) break ;;
    esac
    shift
done
case $environment in
development) short=dev ;;
production) short=prod ;;
*) usage_error "environment $environment; known: development production" ;;
esac
[ $# -gt 0 ] || usage_error "which command?"
command=$1
shift

scaled=false
options=""
case $command in
up)
    while [ $# -gt 0 ]; do
        case $1 in
        --scale) [ $# -gt 1 ] || usage_error "--scale wants SERVICE=N"; word=$2; shift ;;
        --scale=*) word=${1#--scale=} ;;
        *) usage_error "unknown option $1 of up" ;;
        esac
        printf '%s\n' "$word" | grep -Eqx '[a-z-]+=[0-9]{1,2}' || usage_error "--scale SERVICE=N"
        case " $SCALABLE " in *" ${word%%=*} "*) ;; *)
            refuse "${word%%=*} exists once: of two, each would have its own idea of the market or \
the account. What may be scaled: $SCALABLE (docs/operations/containers.md)" ;;
        esac
        scaled=true options="$options --scale $word"
        shift
    done ;;
down)
    case ${1-} in
    "") ;;
    -v)
        printf 'This deletes journals and tables. Type DELETE: ' >&2
        read -r typed || typed=""
        [ "$typed" = DELETE ] || refuse "nothing was deleted"
        options=" -v" ;;
    *) usage_error "unknown option $1 of down" ;;
    esac
    profiles=" --profile *" ;;
logs | ps | restart | config) ;;
*) usage_error "unknown command $command" ;;
esac

find_compose
files="-f docker-compose.yml -f docker-compose.$short.yml $cache"
if $scaled; then files="$files -f docker-compose.scale.yml"; fi
if [ "$command" = up ] && [ "$short" = dev ]; then make_what_lacks; fi
variables=""
for each in .env ".env.$short"; do # what the second says counts
    if [ -f "$each" ]; then variables="$variables --env-file $each"; fi
done
set -f # a profile may be *
compose() {
    # shellcheck disable=SC2086 # words
    $COMPOSE $variables $files $profiles "$@"
}
# shellcheck disable=SC2086 # words
case $command in
up)
    check_secrets
    compose up -d --wait --no-build $options || exit 1 ;;
down) compose down $options ;;
logs) compose logs --follow --tail 100 "$@" ;;
*) compose "$command" "$@" ;;
esac
