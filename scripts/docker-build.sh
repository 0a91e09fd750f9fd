#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -eu
cd -- "$(dirname -- "$0")/.."
. scripts/stack.sh

help() {
    cat <<'TEXT'
Usage: scripts/docker-build.sh [OPTION]...
Builds the images hean, hean-ui and hean-market-data.

  --registry R     name them R/hean ... and R/hft/execution ..., ready to push
  --version V      their tag; default latest
  --dev            also hean:V-development, with a shell and tools
  --wheel FOLDER   take the wheel that scripts/build_wheel.sh made instead of building one
  --push           push what was built; wants --registry
  -h, --help       this text

Every service of the fleet is the image hean with another command, so hft/ingestion and the others
are names of it. HEAN_STACK_UID sets the uid in the image (65532); HEAN_STACK_BUILD_OPTIONS is given
to every build as it stands. Pin bases by digest with --build-arg PYTHON_IMAGE=python@sha256:...

Exit codes: 0 done, 1 a build failed, 2 wrong usage, 3 something is missing.
TEXT
}

FLEET="ingestion kalman-filter garch-volatility risk-manager execution"
registry="" version=latest dev=false wheel="" push=false
while [ $# -gt 0 ]; do
    case $1 in
    --registry) [ $# -gt 1 ] || usage_error "--registry wants a name"; registry=${2%/}; shift ;;
    --version) [ $# -gt 1 ] || usage_error "--version wants a tag"; version=$2; shift ;;
    --wheel) [ $# -gt 1 ] || usage_error "--wheel wants a folder"; wheel=$2; shift ;;
    --dev) dev=true ;;
    --push) push=true ;;
    -h | --help) help; exit 0 ;;
    *) usage_error "unknown option $1" ;;
    esac
    shift
done
if $push && [ -z "$registry" ]; then usage_error "--push wants --registry"; fi
printf '%s\n' "$version" | grep -Eqx '[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}' ||
    usage_error "--version $version is no tag"
need "$ENGINE" "install Docker, or podman as HEAN_STACK_ENGINE"
prefix=${registry:+$registry/}
uid=${HEAN_STACK_UID:-65532}
# shellcheck disable=SC2086 # words
set -- ${HEAN_STACK_BUILD_OPTIONS-}
if [ "$ENGINE" = podman ]; then set -- --format docker "$@"; fi # keeps HEALTHCHECK

build() {
    name=$1
    shift
    say "$name"
    "$ENGINE" build -t "$name" "$@" || { say "$name was not built"; exit 1; }
}

image=${prefix}hean:$version
if [ -n "$wheel" ]; then
    [ -n "$(find "$wheel" -maxdepth 1 -name 'hean-*.whl')" ] || lacks "no wheel in $wheel"
    build "$image" "$@" --build-context "wheel=$wheel" --build-arg "HEAN_UID=$uid" .
else
    build "$image" "$@" --build-arg "HEAN_UID=$uid" .
fi
if $dev; then
    build "$image-development" "$@" ${wheel:+--build-context "wheel=$wheel"} \
        --build-arg "HEAN_UID=$uid" --target development .
fi
build "${prefix}hean-ui:$version" "$@" deploy/nginx
build "${prefix}hean-market-data:$version" "$@" -f market-data-service/Dockerfile .
names="$image ${prefix}hean-ui:$version ${prefix}hean-market-data:$version"
for each in $FLEET; do
    if [ -n "$registry" ]; then name=$registry/hft/$each:$version; else
        name=crypto-bot-$each:$version
    fi
    "$ENGINE" tag "$image" "$name"
    names="$names $name"
done
for name in $names; do
    printf '%s\n' "$name"
    if $push; then "$ENGINE" push "$name"; fi
done
