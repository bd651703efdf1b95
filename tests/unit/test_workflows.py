"""The workflows hold together: the gate waits for all, versions agree with the package's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))

pytestmark = pytest.mark.checkout


def jobs(name: str) -> dict:
    return yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text())["jobs"]


def test_there_are_workflows():
    assert {path.stem for path in WORKFLOWS} == {"ci", "docs", "wheels"}


def test_the_gate_waits_for_every_other_job():
    all_jobs = jobs("ci.yml")
    gate = all_jobs.pop("green")
    assert gate["if"] == "always()"
    assert set(gate["needs"]) == set(all_jobs)


def test_ci_covers_systems_pythons_and_cores():
    matrix = jobs("ci.yml")["suite"]["strategy"]["matrix"]
    declared = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    assert [v for v in matrix["python"] if not v.endswith("t")] == declared
    assert matrix["core"] == ["compiled", "pure"]
    assert {system.partition("-")[0] for system in matrix["os"]} == {"ubuntu", "macos", "windows"}


def test_only_the_publishing_job_may_ask_for_a_token():
    wheels = jobs("wheels.yml")
    assert [name for name, job in wheels.items() if "id-token" in job.get("permissions", {})] == [
        "publish"
    ]
    assert wheels["publish"]["environment"] == "release"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_workflow_is_bounded_and_reads_only(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert "timeout-minutes" in job, name
