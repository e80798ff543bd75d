"""docs/farm.md tells what the farm does: every key, fault and option, and its examples run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_renderbus.farm.faults import FAULT_KEYS, KINDS
from airflow_provider_renderbus.farm.scenario import (
    ACCOUNT_KEYS,
    FINDING_KEYS,
    RENDER_KEYS,
    SCENARIO_KEYS,
    read_scenario,
)

DOCUMENT = (Path(__file__).parents[2] / "docs" / "farm.md").read_text("utf-8")
FIRST_CELLS = set(re.findall(r"^\| `([a-z_.-]+)`", DOCUMENT, re.MULTILINE))


@pytest.mark.parametrize("keys", [SCENARIO_KEYS, ACCOUNT_KEYS, RENDER_KEYS, FINDING_KEYS, KINDS])
def test_every_key_has_a_row(keys):
    assert set(keys) <= FIRST_CELLS


def test_every_key_of_a_fault_is_told():
    assert set(FAULT_KEYS) - {"fault"} <= set(
        re.findall(r"`([a-z_]+)`", DOCUMENT[DOCUMENT.index("## Faults") :])
    )


def test_every_option_is_told():
    shown = subprocess.run(
        [sys.executable, "-m", "airflow_provider_renderbus.farm", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert set(re.findall(r"--[a-z-]+", shown)) - {"--help"} <= set(re.findall(r"`(--[a-z-]+)`", DOCUMENT))


def test_defaults_are_those_of_the_program():
    assert "| `machines` | 4 |" in DOCUMENT
    usual = read_scenario({})
    assert f"| `queue_seconds` | {usual.queue_seconds} |" in DOCUMENT
    assert f"| `frame_seconds` | {list(usual.frame_seconds)} |" in DOCUMENT
    for name in ACCOUNT_KEYS:
        assert f'| `{name}` | "{getattr(usual.money, name)}" |' in DOCUMENT


@pytest.mark.parametrize("example", re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL))
def test_scenarios_are_scenarios(example):
    read_scenario(json.loads(example))


@pytest.mark.parametrize("example", re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL))
def test_examples_run(example, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    exec(compile(example, "docs/farm.md", "exec"), {"__name__": "example"})
