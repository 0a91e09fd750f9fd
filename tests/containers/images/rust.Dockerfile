# SPDX-License-Identifier: Apache-2.0
# Stand-in for rust:1-slim-bookworm: links to the toolchain of this machine, mounted while it builds.
FROM debian:bookworm-slim
ARG SYSROOT
ENV CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt
RUN for each in cargo rustc; do ln -s "${SYSROOT}/bin/$each" "/usr/local/bin/$each"; done
