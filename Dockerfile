# SPDX-License-Identifier: Apache-2.0
# HEAN: the API with its page, and every process of a fleet. Built in stages, of which the last is
# kept: no compiler, no Node, no package cache is in it. Build it from the repository's root:
#   docker build -t hean .                      or scripts/docker-build.sh
#   docker build --target development -t hean . the same with tools to look around
# A digest instead of a tag pins a base: --build-arg PYTHON_IMAGE=python@sha256:..., or --pin
# of the script for all of them.
ARG NODE_IMAGE=node:22-bookworm-slim
ARG RUST_IMAGE=rust:1-slim-bookworm
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

# --- page: the files a browser gets
FROM ${NODE_IMAGE} AS page
WORKDIR /src/ui
COPY ui/package.json ui/package-lock.json ui/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY ui ./
RUN npm run build

# --- wheel: native core, Python and page in one file
FROM ${RUST_IMAGE} AS build
WORKDIR /src
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
COPY requirements/core.txt requirements/core.txt
# The builder alone out of the lock: its entry reaches to the last line with a hash.
RUN python3 -m venv .venv \
    && sed -n '/^maturin==/,/[^\\]$/p' requirements/core.txt >maturin.txt \
    && .venv/bin/pip install --no-cache-dir --require-hashes -r maturin.txt
COPY Cargo.toml Cargo.lock rust-toolchain.toml pyproject.toml README.md LICENSE ./
COPY crates crates
COPY market-data-service market-data-service
COPY src src
COPY scripts/build_wheel.sh scripts/build_wheel.sh
COPY --from=page /src/ui/dist ui/dist
RUN scripts/build_wheel.sh

# Its own stage, so that a wheel which exists can stand in: --build-context wheel=dist
FROM scratch AS wheel
COPY --from=build /src/dist/ /

# --- packages: what it runs on, by the hashes of the locks
FROM ${PYTHON_IMAGE} AS packages
# A bundle of certificates, where a proxy of the house signs: --build-arg SSL_CERT_FILE=/path
ARG SSL_CERT_FILE
WORKDIR /build
COPY requirements/boot.txt requirements/core.txt requirements/kafka.txt requirements/postgres.txt \
    requirements/analytics.txt requirements/
RUN python3 -m pip install --no-cache-dir --target boot --require-hashes -r requirements/boot.txt \
    && sed '/^maturin==/,/[^\\]$/d' requirements/core.txt >requirements/run.txt
# core, and the sets of a deployment: kafka, postgres, analytics
ARG SETS="kafka postgres"
RUN boot/bin/uv venv -q --python "$(command -v python3)" /app/env \
    && set -- requirements/run.txt \
    && for each in $SETS; do set -- "$@" "requirements/$each.txt"; done \
    && boot/bin/uv pip sync -q --no-cache --link-mode copy --python /app/env/bin/python \
        --require-hashes "$@"
COPY --from=wheel / /build/wheel/
RUN boot/bin/uv pip install -q --no-cache --no-deps --no-index --python /app/env/bin/python \
        wheel/*.whl \
    && /app/env/bin/hean --version

# --- run: nobody's shell, nobody's root
FROM ${PYTHON_IMAGE} AS run
ARG HEAN_UID=65532
RUN groupadd --gid "${HEAN_UID}" hean \
    && useradd --uid "${HEAN_UID}" --gid "${HEAN_UID}" --no-create-home --home-dir /app \
        --shell /usr/sbin/nologin hean \
    && install -d -o hean -g hean -m 0700 /app/data
COPY --from=packages /app/env /app/env
COPY deploy /app/deploy
COPY scripts/container_health.py /app/health.py
RUN chmod -R a+rX /app/deploy /app/health.py
WORKDIR /app
ENV PATH=/app/env/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HEAN_DATA_DIR=/app/data
VOLUME /app/data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=8s --start-period=60s --retries=5 \
    CMD ["python", "/app/health.py", "api"]
ENTRYPOINT ["hean"]
CMD ["serve", "--help"]
USER ${HEAN_UID}

# --- development: the same, with what one looks around with
FROM run AS development
ARG HEAN_UID=65532
USER 0
RUN apt-get update \
    && apt-get install -y --no-install-recommends bash curl iputils-ping less procps sqlite3 \
    && rm -rf /var/lib/apt/lists/*
USER ${HEAN_UID}

# --- production: the last stage is what a plain build gives
FROM run AS production
