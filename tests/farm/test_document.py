"""docs/farm.md lists every key, fault and option with its default, and its examples run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_renderbus.farm.server.envelope import CLIENT_CODES
from airflow_provider_renderbus.farm.simulation.account import Funds
from airflow_provider_renderbus.farm.simulation.faults import FAULT_KEYS, FAULT_KINDS, read_fault
from airflow_provider_renderbus.farm.simulation.scenario import (
    ACCOUNT_KEYS,
    FINDING_KEYS,
    RENDER_KEYS,
    SCENARIO_KEYS,
    SOFTWARE_KEYS,
    UNLIMITED,
    Finding,
    RenderBehavior,
    read_scenario,
)

DOCUMENT = (Path(__file__).parents[2] / "docs" / "farm.md").read_text("utf-8")
BLOCKS = re.findall(r"^\|(?: --- \|)+\n((?:\|.*\n)+)", DOCUMENT, re.MULTILINE)
ROWS = [[[*map(str.strip, row.split("|")[1:-1])] for row in block.splitlines()] for block in BLOCKS]
TABLES = [{key.strip("`"): cells for key, *cells in rows} for rows in ROWS]
OPTIONS, _, _, SCENARIO, ACCOUNT, RENDERS, FINDINGS, SOFTWARE, FAULTS, FAULT, REFUSALS, _ = TABLES


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        (SCENARIO, SCENARIO_KEYS),
        (ACCOUNT, ACCOUNT_KEYS),
        (RENDERS, RENDER_KEYS),
        (FINDINGS, FINDING_KEYS),
        (SOFTWARE, SOFTWARE_KEYS),
        (FAULTS, FAULT_KINDS),
    ],
)
def test_document_table_lists_every_key(table, keys):
    assert table.keys() == keys.keys()


def test_document_lists_every_fault_key():
    own = {key for _, keys in FAULTS.values() for key in re.findall(r"`(\w+)`", keys)}
    assert own | FAULT.keys() == FAULT_KEYS.keys() - {"fault"}


def test_document_lists_every_code_of_desktop_client():
    parts = (part.split("-") for codes in REFUSALS for part in codes.split(", "))
    documented = [code for part in parts for code in range(int(part[0]), int(part[-1]) + 1)]
    assert sorted(documented) == sorted(CLIENT_CODES)


def test_document_meanings_of_codes_match_messages():
    for codes, (meaning, _) in REFUSALS.items():
        if codes.isdecimal():
            assert CLIENT_CODES[int(codes)].lower() == meaning.lower()


def test_document_lists_every_option():
    help_text = subprocess.run(
        [sys.executable, "-m", "airflow_provider_renderbus.farm", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert set(re.findall(r"--[a-z-]+", help_text)) - {"--help"} == OPTIONS.keys()


@pytest.mark.parametrize(
    ("table", "default_value"),
    [
        (SCENARIO, read_scenario({})),
        (ACCOUNT, Funds()),
        (RENDERS, RenderBehavior()),
        (FINDINGS, Finding()),
        (FAULT, read_fault("fault", {"fault": "drop"})),
    ],
)
def test_document_defaults_match_code(table, default_value):
    documented = {name: default for name, (default, _) in table.items() if default}
    assert documented
    for name, default in documented.items():
        assert is_documented(getattr(default_value, name), default), name


def test_document_fault_defaults_match_code():
    for kind, (_, keys) in FAULTS.items():
        fault = read_fault("fault", {"fault": kind})
        for name, default in re.findall(r"`(\w+)` \((.*?)\)", keys):
            assert is_documented(getattr(fault, name), default), (kind, name)


def is_documented(value, default):
    if default == "unlimited":
        return value in {None, UNLIMITED}
    return json.loads(json.dumps(value, default=str)) == json.loads(default)


@pytest.mark.parametrize("example", re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL))
def test_document_scenario_examples_are_valid(example):
    read_scenario(json.loads(example))


@pytest.mark.parametrize("example", re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL))
def test_document_python_examples_run(example):
    exec(compile(example, "docs/farm.md", "exec"), {"__name__": "example"})
