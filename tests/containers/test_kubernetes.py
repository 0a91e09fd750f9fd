# SPDX-License-Identifier: Apache-2.0
"""The manifests of Kubernetes: as files, and as kustomize makes one list of them."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import pytest
import yaml

from containers.composed import ROOT
from hean.topology import read_table

FOLDER = ROOT / "deploy/k8s"
UNPACKED = ROOT / ".cache/apt/trixie/root/usr/bin/kubectl"


def test_manifests_of_kubernetes_are_whole() -> None:
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    names = [*listed["resources"], "kustomization.yaml"]
    assert sorted(names) == sorted(path.name for path in FOLDER.glob("*.yaml"))
    kinds = []
    for name in listed["resources"]:
        for document in yaml.safe_load_all((FOLDER / name).read_text()):
            kinds.append(document["kind"])
            if document["kind"] in ("Deployment", "StatefulSet"):
                check_pod(document["metadata"]["name"], document["spec"])
    assert kinds.count("Deployment") + kinds.count("StatefulSet") == 6


def check_pod(name: str, spec: dict[str, Any]) -> None:
    """A pod is held as small as a service of the compose file, and there is one of it."""
    assert spec["replicas"] == 1, name
    assert spec.get("strategy", {"type": "Recreate"})["type"] == "Recreate", name
    pod = spec["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False, name
    assert pod["securityContext"]["runAsNonRoot"] is True, name
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
    for container in pod["containers"]:
        held = container["securityContext"]
        assert held["capabilities"] == {"drop": ["ALL"]} and not held["allowPrivilegeEscalation"]
        assert held.get("readOnlyRootFilesystem") is (name != "kafka")
        assert {"cpu", "memory"} <= container["resources"]["limits"].keys()
        assert {"livenessProbe", "readinessProbe"} <= container.keys(), name


def build(folder: Any = FOLDER) -> subprocess.CompletedProcess[str]:
    """What kustomize says."""
    program = shutil.which("kubectl") or (str(UNPACKED) if UNPACKED.exists() else None)
    if program is None:
        pytest.skip("no kubectl: sh scripts/ci/apt_suite.sh trixie kubectl")
    return subprocess.run(
        [program, "kustomize", str(folder)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_kustomize_builds_the_fleet_whole() -> None:
    built = build()
    assert built.returncode == 0, built.stderr
    assert "Warning" not in built.stderr, built.stderr
    things = list(yaml.safe_load_all(built.stdout))
    source = [
        document
        for name in yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
        for document in yaml.safe_load_all((FOLDER / name).read_text())
    ]
    assert len(things) == len(source)
    names = {(each["kind"], each["metadata"]["name"]) for each in things}
    assert names == {(each["kind"], each["metadata"]["name"]) for each in source}
    for each in things:
        assert each["metadata"]["labels"]["app.kubernetes.io/part-of"] == "hean", each
        assert each["kind"] == "Namespace" or each["metadata"]["namespace"] == "hean"
    pods = [each for each in things if each["kind"] in ("Deployment", "StatefulSet")]
    assert {each["metadata"]["name"] for each in pods} == {
        *read_table(ROOT / "deploy/hft.toml").process, "kafka",
    }  # fmt: skip
    for each in pods:
        check_pod(each["metadata"]["name"], each["spec"])
        check_joints(each["spec"], things)


def check_joints(spec: dict[str, Any], things: list[dict[str, Any]]) -> None:
    """What a pod names is there: its service, port, volumes and claims; the image has a tag."""
    pod, labels = spec["template"]["spec"], spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    claims = {each["metadata"]["name"] for each in things if each["kind"].endswith("Claim")}
    claims |= {each["metadata"]["name"] for each in spec.get("volumeClaimTemplates", [])}
    volumes = {each["name"]: each for each in pod.get("volumes", [])}
    for each in volumes.values():
        assert each.get("persistentVolumeClaim", {}).get("claimName") in {None, *claims}
    for container in pod["containers"]:
        assert ":" in container["image"]
        mounted = {each["name"] for each in container["volumeMounts"]}
        assert mounted <= {*volumes, *claims}
        ports = {each["containerPort"] for each in container["ports"]}
        (service,) = (
            each for each in things
            if each["kind"] == "Service" and each["spec"]["selector"].items() <= labels.items()
        )  # fmt: skip
        assert {each["port"] for each in service["spec"]["ports"]} <= ports


def test_kustomize_refuses_what_is_not_there(tmp_path: Any) -> None:
    shutil.copytree(FOLDER, tmp_path / "k8s")
    (tmp_path / "k8s/kafka.yaml").unlink()
    assert build(tmp_path / "k8s").returncode != 0
