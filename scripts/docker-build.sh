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
  --pin            name the bases by their digests, of what the engine has or pulls, and say them
  --push           push what was built; wants --registry
  -h, --help       this text

Every service of the fleet is the image hean with another command, so hft/ingestion and the others
are names of it. HEAN_STACK_UID sets the uid in the image (65532); HEAN_STACK_BUILD_OPTIONS is given
to every build as it stands: what --pin said may be given there as --build-arg NAME=IMAGE@sha256:...
to build from the same bases again.

Exit codes: 0 done, 1 a build failed, 2 wrong usage, 3 something is missing.
TEXT
}

FLEET="ingestion kalman-filter garch-volatility risk-manager execution"
registry="" version=latest dev=false wheel="" push=false pin=false
while [ $# -gt 0 ]; do
    case $1 in
    --registry) [ $# -gt 1 ] || usage_error "--registry wants a name"; registry=${2%/}; shift ;;
    --version) [ $# -gt 1 ] || usage_error "--version wants a tag"; version=$2; shift ;;
    --wheel) [ $# -gt 1 ] || usage_error "--wheel wants a folder"; wheel=$2; shift ;;
    --dev) dev=true ;;
    --pin) pin=true ;;
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

# Sets pinned: options that name the bases of a Dockerfile by digest. Compilers have none where what
# they would make is given.
pin_bases() {
    pinned=""
    $pin || return 0
    compiles=true
    if [ "$1" = Dockerfile ] && [ -n "$wheel" ]; then compiles=false; fi
    case ${HEAN_STACK_BUILD_OPTIONS-} in *"--build-context build="*) compiles=false ;; esac
    bases=$(sed -n 's/^ARG \([A-Z]*_IMAGE\)=\(.*\)$/\1=\2/p' "$1")
    for each in $bases; do
        case $each in NODE_IMAGE=* | RUST_IMAGE=*) $compiles || continue ;; esac
        base=${each#*=}
        "$ENGINE" image inspect "$base" >/dev/null 2>&1 || "$ENGINE" pull -q "$base" >/dev/null ||
            lacks "no image $base"
        digest=$("$ENGINE" image inspect --format '{{index .RepoDigests 0}}' "$base")
        case $digest in *@sha256:*) ;; *) lacks "$base has no digest" ;; esac
        say "${each%%=*}=$digest"
        pinned="$pinned --build-arg ${each%%=*}=$digest"
    done
}

image=${prefix}hean:$version
if [ -n "$wheel" ] && [ -z "$(find "$wheel" -maxdepth 1 -name 'hean-*.whl')" ]; then
    lacks "no wheel in $wheel"
fi
given=${wheel:+--build-context wheel=$wheel}
# shellcheck disable=SC2086 # words
{
    pin_bases Dockerfile
    build "$image" "$@" $given $pinned --build-arg "HEAN_UID=$uid" .
    if $dev; then
        build "$image-development" "$@" $given $pinned --build-arg "HEAN_UID=$uid" \
            --target development .
    fi
    pin_bases deploy/nginx/Dockerfile
    build "${prefix}hean-ui:$version" "$@" $pinned deploy/nginx
    pin_bases market-data-service/Dockerfile
    build "${prefix}hean-market-data:$version" "$@" $pinned -f market-data-service/Dockerfile .
}
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
