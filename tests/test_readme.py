"""The README is complete and true: recipes are DAGs, messages are those of the code, commands exist."""

import ast
import re
from pathlib import Path

import pytest

from airflow_provider_renderbus import operators, sensors
from airflow_provider_renderbus.compat import DAG
from airflow_provider_renderbus.get_provider_info import get_provider_info
from airflow_provider_renderbus.hooks.connection_fields import EXTRA_FIELDS, UI_FIELD_BEHAVIOUR
from tests.airflow_version import HAS_APPROVAL
from tests.readme import QUICKSTART, README, RECIPES, START_FARM, section

ROOT = Path(__file__).parents[1]
CHINESE = (ROOT / "README.zh-CN.md").read_text("utf-8")


@pytest.mark.parametrize("name", RECIPES)
def test_readme_recipe_is_a_dag(name):
    if name == "approval" and not HAS_APPROVAL:
        pytest.skip("asking a user needs Airflow 3.1")
    names = {"__name__": "readme"}
    exec(compile(RECIPES[name].replace(f"\n{name}()", f"\nparsed = {name}()"), "README.md", "exec"), names)
    assert isinstance(names["parsed"], DAG)
    assert names["parsed"].tasks


def test_readme_decorated_render_is_the_shortest_recipe_of_many_renders():
    assert len(RECIPES["night"].splitlines()) < len(RECIPES["in_steps"].splitlines())


def test_readme_quickstart_is_a_dag_of_about_twenty_lines():
    (dag_file,) = re.findall(r"<<'END'\n(.*?)^END$", QUICKSTART, re.MULTILINE | re.DOTALL)
    lines = [line for line in dag_file.splitlines() if line]
    assert len(lines) <= 25
    assert "\none_shot()" in dag_file


def test_connection_page_has_row_for_each_field_as_in_the_form():
    page = (ROOT / "docs/connection.md").read_text("utf-8")
    labels = UI_FIELD_BEHAVIOUR["relabeling"]
    rows = re.findall(r"^\| ([\w ]+) \| `?(\w+)`? \|", page, re.MULTILINE)[1:]
    assert {key.lower(): label for label, key in rows if key[0].isupper()} == {**labels, "port": "Port"}
    assert [(label, key) for label, key in rows if key[0].islower()] == [
        (field.label, key) for key, field in EXTRA_FIELDS.items()
    ]


def test_configuration_page_has_row_with_default_for_each_option():
    page = (ROOT / "docs/configuration.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| .* \| (.+) \|$", page, re.MULTILINE))
    options = get_provider_info()["config"]["renderbus"]["options"]
    assert rows.keys() == options.keys()
    for name, option in options.items():
        assert not option["default"] or rows[name].strip("`") == option["default"], name


def test_operators_page_has_row_for_each_class():
    named = re.findall(
        r"^\| `(Renderbus\w+)` \|", (ROOT / "docs/operators.md").read_text("utf-8"), re.MULTILINE
    )
    assert sorted(named) == sorted((*operators.__all__, *sensors.__all__))


def test_readme_commands_are_in_makefile():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    commands = re.findall(r"\bmake ([a-z-]+)(?: KEEP=1)?(?:$|`| +#)", README, re.MULTILINE)
    assert {"demo", "test", "docs"} <= set(commands)
    for command in commands:
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)


def test_workflow_runs_each_part_of_ci():
    script = (ROOT / ".ci/run").read_text("utf-8")
    (parts,) = re.findall(r"^PARTS=\((.*)\)$", script, re.MULTILINE)
    (in_workflow,) = re.findall(
        r"^ +part: \[(.*)\]$", (ROOT / ".github/workflows/ci.yml").read_text("utf-8"), re.MULTILINE
    )
    assert in_workflow.split(", ") == parts.split()
    experiments = " ".join(re.findall(r"EXPERIMENTS='(.*)'", script))
    program = (ROOT / "dev/reliability/__main__.py").read_text("utf-8")
    every = set(re.findall(r'^    "(\w+)": \w+,$', program, re.MULTILINE))
    assert sorted(experiments.split()) == sorted(every - {"celery"})


def texts(file):
    """Yield the texts of a module, with "…" for each value in them."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_chinese_readme_has_the_same_quickstart():
    assert START_FARM in CHINESE
    assert QUICKSTART in CHINESE


@pytest.mark.parametrize("table", [section("Troubleshooting"), CHINESE.partition("## 常见错误")[2]])
def test_readme_messages_are_those_of_the_code(table):
    messages = re.findall(r"^\| `([^`]+ [^`]+)` \|", table, re.MULTILINE)
    assert len(messages) >= 9
    product = (file for file in (ROOT / "airflow_provider_renderbus").rglob("*.py"))
    written = "\n".join(text for file in product for text in texts(file))
    assert [message for message in messages if message not in written] == []
