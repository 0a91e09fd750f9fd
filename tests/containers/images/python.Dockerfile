# SPDX-License-Identifier: Apache-2.0
# Stand-in for python:3.11-slim-bookworm: Debian's own 3.11, where the official one has its.
FROM debian:bookworm-slim
RUN apt-get install -y -qq --no-install-recommends python3 python3-pip python3-venv \
    && rm /usr/lib/python3.11/EXTERNALLY-MANAGED \
    && ln -s /usr/bin/python3 /usr/local/bin/python3 \
    && ln -s /usr/bin/python3 /usr/local/bin/python \
    && apt-get clean
