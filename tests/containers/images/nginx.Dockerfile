# SPDX-License-Identifier: Apache-2.0
# Stand-in for nginx:1-alpine: Debian's nginx, and the client that the official image has.
FROM debian:bookworm-slim
RUN apt-get install -y -qq --no-install-recommends nginx-light wget && apt-get clean
