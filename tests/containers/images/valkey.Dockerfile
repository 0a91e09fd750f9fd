# SPDX-License-Identifier: Apache-2.0
# Stand-in for valkey/valkey:8-alpine: Debian's backport, unpacked beside the libraries it wants.
FROM debian:bookworm-slim
RUN apt-get install -y -qq --no-install-recommends redis-server \
    && apt-get clean \
    && install -d -o 999 -g 1000 /data
COPY usr/bin /usr/bin
WORKDIR /data
VOLUME /data
CMD ["valkey-server"]
