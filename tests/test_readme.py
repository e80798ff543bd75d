"""The README says what is so: its snippets run, its tables are whole, its commands are there."""

import importlib
import re
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_renderbus.get_provider_info import get_provider_info
from airflow_provider_renderbus.hooks.connection_fields import EXTRA_FIELDS
from tests.readme import README, SNIPPETS

ROOT = Path(__file__).parents[1]


def first_column(heading):
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `?(\w+)`? \|", section, re.MULTILINE)[1:]


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_snippets_run(snippet):
    exec(compile(snippet, "README.md", "exec"), {"__name__": "readme"})


@pytest.mark.parametrize(
    ("snippet", "name", "tasks"),
    [(0, "one_shot", ["render"]), (1, "in_steps", ["create", "upload", "submit", "wait"])],
)
def test_the_first_snippets_are_dags(snippet, name, tasks):
    names = {"__name__": "readme"}
    exec(SNIPPETS[snippet].replace(f"\n{name}()", f"\nmade = {name}()"), names)
    assert isinstance(names["made"], DAG)
    assert list(names["made"].task_dict) == tasks


def test_the_connections_fields_are_all_told():
    assert first_column("The connection") == ["Host", "Port", "Login", "Password", *EXTRA_FIELDS]


def test_the_operators_and_sensors_are_all_told():
    info = get_provider_info()
    modules = [
        importlib.import_module(name)
        for room in ("operators", "sensors")
        for entry in info[room]
        for name in entry["python-modules"]
    ]
    there = [
        name
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__ and not name.startswith("_")
    ]
    assert sorted(first_column("Operators and sensors")) == sorted(there)


def test_the_commands_are_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for command in re.findall(r"\bmake ([a-z-]+)(?: KEEP=1)?(?:$|`)", README, re.MULTILINE):
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)
