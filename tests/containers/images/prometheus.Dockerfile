# SPDX-License-Identifier: Apache-2.0
# Stand-in for prom/prometheus: Debian's own, its data where the official one has it.
FROM debian:bookworm-slim
RUN apt-get install -y -qq --no-install-recommends prometheus wget && apt-get clean \
    && install -d -o 65534 -g 65534 /prometheus
ENTRYPOINT ["prometheus"]
