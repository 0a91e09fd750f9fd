# SPDX-License-Identifier: Apache-2.0
# Stand-in for redis:7-alpine: Debian's Redis 7, the official uid and folder.
FROM debian:bookworm-slim
RUN apt-get install -y -qq --no-install-recommends redis-server redis-tools \
    && apt-get clean \
    && install -d -o 999 -g 1000 /data
WORKDIR /data
VOLUME /data
CMD ["redis-server"]
