#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# KAFKA_LOG_DIRS is log.dirs, as in the official image; the data is formatted once.
set -eu
settings=$(mktemp)
env | grep '^KAFKA_' | grep -v '^KAFKA_HEAP_OPTS=' | while IFS='=' read -r name value; do
    printf '%s=%s\n' "$(printf '%s' "${name#KAFKA_}" | tr 'A-Z_' 'a-z.')" "$value"
done >"$settings"
set -- -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$LIBS/*"
# shellcheck disable=SC2086 # words
[ -e "$KAFKA_LOG_DIRS/meta.properties" ] ||
    java $KAFKA_HEAP_OPTS "$@" kafka.tools.StorageTool format -t "$CLUSTER_ID" -c "$settings"
# shellcheck disable=SC2086 # words
exec java $KAFKA_HEAP_OPTS "$@" kafka.Kafka "$settings"
