"""The snippets of the README run, its tables are complete, and its commands exist."""

import re
from pathlib import Path

import pytest

from airflow_provider_renderbus import operators, sensors
from airflow_provider_renderbus.compat import DAG
from airflow_provider_renderbus.hooks.connection_fields import EXTRA_FIELDS
from tests.readme import README, SNIPPETS

ROOT = Path(__file__).parents[1]


def first_column(heading):
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `?(\w+)`? \|", section, re.MULTILINE)[1:]


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_readme_snippet_runs(snippet):
    exec(compile(snippet, "README.md", "exec"), {"__name__": "readme"})


@pytest.mark.parametrize(
    ("snippet", "name", "tasks"),
    [
        (0, "one_shot", ["render"]),
        (1, "night", ["shot"]),
        (2, "in_steps", ["create", "upload", "submit", "wait"]),
    ],
)
def test_readme_first_snippets_are_dags(snippet, name, tasks):
    names = {"__name__": "readme"}
    exec(SNIPPETS[snippet].replace(f"\n{name}()", f"\nparsed = {name}()"), names)
    assert isinstance(names["parsed"], DAG)
    assert list(names["parsed"].task_dict) == tasks


def test_readme_decorated_render_is_the_shortest_recipe_of_a_render():
    lines = {
        number: len(snippet.splitlines()) for number, snippet in enumerate(SNIPPETS) if "build_" in snippet
    }
    assert min(lines, key=lines.__getitem__) == 1, lines


def test_readme_lists_connection_fields():
    assert first_column("The connection") == ["Host", "Port", "Schema", "Login", "Password", *EXTRA_FIELDS]


def test_readme_lists_operators_and_sensors():
    assert sorted(first_column("Operators and sensors")) == sorted((*operators.__all__, *sensors.__all__))


def test_readme_commands_are_in_makefile():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for command in re.findall(r"\bmake ([a-z-]+)(?: KEEP=1)?(?:$|`)", README, re.MULTILINE):
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)
