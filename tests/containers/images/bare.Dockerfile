# SPDX-License-Identifier: Apache-2.0
# Stand-in for somebody's new machine: what README.md asks for, and git. Rust is mounted.
FROM debian:bookworm-slim
RUN apt-get install -y -qq --no-install-recommends python3 python3-pip gcc libc6-dev git && apt-get clean
