# SPDX-License-Identifier: Apache-2.0
"""`./hean demo` on a machine that has nothing: a bare Debian container, a clone, the network to the
package registries as this machine has it. On two processors that others used as well it was seen to
take eleven minutes: three for Debian's packages, five and a half for the native core, one for the
page. So it runs when `HEAN_FRESH=1` asks for it; `HEAN_FRESH=images` also builds every stage
of the Dockerfiles that the other tests are given from outside.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from containers.engine import ROOT, Engine
from containers.stack import BUNDLE, CERTIFICATES, HUB, Images

ASKED = os.environ.get("HEAN_FRESH", "")
VARIABLES = (
    "SSL_CERT_FILE", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "CARGO_HTTP_CAINFO", "GIT_SSL_CAINFO",
)  # fmt: skip
DEMO_S = 20
LONG_S = 3_600.0  # a compiler on a machine that is everybody's

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(not ASKED, reason="takes ten minutes; HEAN_FRESH=1 asks for it"),
]


def rust() -> Path:
    """The toolchain of this machine, which the README asks for."""
    told = subprocess.run(
        ["rustc", "--print", "sysroot"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return Path(told.stdout.strip())


def test_demo_on_a_bare_machine(engine: Engine, tmp_path: Path, capsys) -> None:
    images = Images(engine, tmp_path)
    images.stand_in("bare", "library/bare:1")
    clone = tmp_path / "hean.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(ROOT), str(clone)], check=True)
    toolchain = rust()
    words = ["run", "--rm", "--name", "fresh", "--network", "host"]
    for place in (CERTIFICATES, str(toolchain), str(clone)):
        words += ["-v", f"{place}:{place}:ro"]
    for name in VARIABLES:
        words += ["-e", f"{name}={BUNDLE}"]
    script = (
        f"set -e; export PATH=$PATH:{toolchain}/bin; git config --global safe.directory '*'; "
        f"git clone -q {clone} /hean; cd /hean; "
        f"./hean demo --port 0 --no-browser --duration {DEMO_S}; "
        f"date +again=%s; ./hean demo --port 0 --no-browser --duration 1; date +end=%s"
    )
    began = time.time()
    image = f"{HUB}/library/bare:1"
    told = engine.podman(*words, image, "bash", "-c", script, limit_s=LONG_S)
    again, end = (
        int(re.findall(rf"^{key}=(\d+)", told, re.MULTILINE)[0]) for key in ("again", "end")
    )
    with capsys.disabled():
        print(
            f"\nfresh: {again - began - DEMO_S:.0f} s to the demo's end, {end - again - 1} s warm"
        )
    assert told.count("API on http://127.0.0.1:") == 2
    assert told.count("page, for five minutes and once:") == 2
    assert told.count("hean: native core") == 1, "the second start builds nothing"
    assert "report: " in told


@pytest.mark.skipif(ASKED != "images", reason="HEAN_FRESH=images asks for it")
def test_every_stage_of_the_dockerfiles_is_built(engine: Engine, tmp_path: Path) -> None:
    """Stand-ins for the two images with compilers: this machine's Rust, Node from its wheel."""
    images = Images(engine, tmp_path)
    images.stand_in("python", "library/python:3.11-slim-bookworm")
    context = tmp_path / "context"
    context.mkdir()
    (context / "node.txt").write_text((ROOT / "requirements/node.txt").read_text())
    images.stand_in("node", "library/node:22-bookworm-slim", context=context)
    toolchain = rust()
    images.stand_in("rust", "library/rust:1-slim-bookworm", SYSROOT=str(toolchain))
    options = f"--layers=false --pull-never --network host -v {CERTIFICATES}:{CERTIFICATES}:ro "
    options += f"-v {toolchain}:{toolchain}:ro --build-arg SSL_CERT_FILE={BUNDLE}"
    engine.run(
        "scripts/docker-build.sh",
        "--registry",
        "localhost",
        limit_s=LONG_S,
        HEAN_STACK_BUILD_OPTIONS=options,
    )
    told = engine.podman("run", "--rm", "localhost/hean", "--version")
    assert told.startswith("hean ")
