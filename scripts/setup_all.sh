#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
cd -- "$(dirname -- "$0")/.."
. scripts/stack.sh

help() {
    cat <<'TEXT'
Usage: scripts/setup_all.sh [OPTION]...
From a clone to a running stack: prerequisites, secrets, settings, images, start, health.
What exists is kept, so it may be run again.

  --secrets-only   make what lacks in secrets/ and .env, and end
  --native         also set HEAN up on this machine itself (./hean setup)
  --no-build       the images are there
  --no-start       end before anything is started
  --profile NAME   also start full, kafka or hft; may come several times
  -h, --help       this text

Secrets are random, in files that only their reader may read; no password has a default. They lie in
secrets/, or where HEAN_STACK_SECRETS says. Run as root it gives them to uid 65532 of the images;
else the images run as you, which .env then says.

Exit codes: 0 done, 1 the stack is not healthy, 2 wrong usage, 3 something is missing.
TEXT
}

random() { openssl rand -hex 32 | tr -d '\n'; }

# keep FILE MODE OWNER: takes the standard input, unless the file is there already.
keep() {
    if [ -e "$SECRETS/$1" ]; then cat >/dev/null; return 0; fi
    (umask 077 && cat >"$SECRETS/.$1" && chmod "$2" "$SECRETS/.$1")
    [ "$(id -u)" -ne 0 ] || chown "$3" "$SECRETS/.$1"
    mv "$SECRETS/.$1" "$SECRETS/$1"
    say "made $SECRETS/$1"
}

# certificate NAME HOSTS: signed by itself, until somebody puts a better one there.
certificate() {
    if [ -e "$SECRETS/$1_key" ] && [ -e "$SECRETS/$1_certificate" ]; then return 0; fi
    made=$(mktemp -d)
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 825 \
        -subj "/CN=hean $1" -addext "subjectAltName=$2" \
        -keyout "$made/key" -out "$made/certificate" 2>/dev/null
    keep "$1_key" 600 "$USER_ID" <"$made/key"
    keep "$1_certificate" 444 0 <"$made/certificate" # Prometheus reads it, too
    rm -rf "$made"
}

make_secrets() {
    need openssl "apt-get install openssl"
    mkdir -p "$SECRETS"
    chmod 700 "$SECRETS"
    random | keep secret_key 600 "$USER_ID"
    # The folder is closed to all others; inside its container each reader has another number.
    printf 'requirepass %s\n' "$(random)" | keep redis_auth 444 0
    password=$(sed -n 's/^requirepass //p' "$SECRETS/redis_auth")
    printf 'redis://:%s@redis:6379' "$password" | keep redis_url 600 "$USER_ID"
    printf 'redis://:%s@keydb:6379' "$password" | keep keydb_url 600 "$USER_ID"
    printf '{"redis://redis:6379": "%s", "redis://keydb:6379": "%s"}\n' "$password" "$password" |
        keep redis_passwords 444 0
    random | keep grafana_password 444 0
    # Empty until somebody fills them: what is told to whom, and how Prometheus reads the API.
    for each in metrics_token slack_url smtp_password pagerduty_key; do
        keep "$each" 444 0 </dev/null
    done
    certificate api DNS:api,DNS:localhost,IP:127.0.0.1
    certificate ui DNS:localhost,IP:127.0.0.1
    names=DNS:localhost,IP:127.0.0.1
    for each in ingestion kalman-filter garch-volatility risk-manager execution; do
        names=$names,DNS:$each,DNS:$each-service # as Kubernetes calls it, and as Compose does
    done
    certificate fleet "$names"
    random | keep fleet_token 444 0 # what its /metrics is asked with
}

make_dotenv() {
    [ -e .env ] || { (umask 077 && cat .env.example >.env) && say "made .env"; }
    [ "$(id -u)" -eq 0 ] || grep -q '^HEAN_STACK_UID=' .env ||
        printf 'HEAN_STACK_UID=%s\n' "$(id -u)" >>.env
}

# A key that reads only, for Prometheus; written where the file is, which is mounted.
make_metrics_token() {
    [ ! -s "$SECRETS/metrics_token" ] || return 0
    find_compose
    # shellcheck disable=SC2086 # words
    made=$($COMPOSE exec -T api hean token create --role viewer --name metrics) || return 0
    printf '%s' "$made" >"$SECRETS/metrics_token"
    say "made $SECRETS/metrics_token"
}

secrets_only=false native=false build=true start=true profiles=""
while [ $# -gt 0 ]; do
    case $1 in
    --secrets-only) secrets_only=true ;;
    --native) native=true ;;
    --no-build) build=false ;;
    --no-start) start=false ;;
    --profile) [ $# -gt 1 ] || usage_error "--profile wants a name"
        case $2 in full | kafka | hft) ;; *) usage_error "profile $2; known: full kafka hft" ;; esac
        profiles="$profiles --profile $2"; shift ;;
    -h | --help) help; exit 0 ;;
    *) usage_error "unknown option $1" ;;
    esac
    shift
done
if [ "$(id -u)" -eq 0 ]; then USER_ID=${HEAN_STACK_UID:-65532}; else USER_ID=$(id -u); fi
export HEAN_STACK_UID="$USER_ID" # of the images that are built now

$secrets_only || { need "$ENGINE" "install Docker, or podman as HEAN_STACK_ENGINE"; find_compose; }
make_secrets
make_dotenv
if $secrets_only; then exit 0; fi
if $native; then ./hean setup; fi
if $build; then scripts/docker-build.sh --dev; fi # of the environment that deploy.sh starts
if $start; then
    # shellcheck disable=SC2086 # words
    scripts/deploy.sh $profiles up
    make_metrics_token
    scripts/health-check.sh
fi
