# SPDX-License-Identifier: Apache-2.0
# Stand-in for prom/node-exporter, oliver006/redis_exporter and prom/alertmanager, by which of them
# starts. Debian's redis exporter takes its settings from the same variables.
FROM debian:bookworm-slim
ARG PROGRAM
RUN apt-get install -y -qq --no-install-recommends "prometheus-${PROGRAM}" wget && apt-get clean \
    && install -d -o 65534 -g 65534 /alertmanager \
    && ln -s "/usr/bin/prometheus-${PROGRAM}" /usr/local/bin/exporter
ENTRYPOINT ["/usr/local/bin/exporter"]
