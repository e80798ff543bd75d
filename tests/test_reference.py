"""The reference has every public name with each argument; tests/site.py checks the pages made of it."""

import inspect
import re
import runpy
from importlib import import_module
from pathlib import Path

import pytest

from tests.airflow_version import HAS_APPROVAL

PACKAGE = "airflow_provider_renderbus"
PAGES = sorted((Path(__file__).parents[1] / "docs" / "reference").glob("*.md"))
DIRECTIVES = {
    name
    for page in PAGES
    for name in re.findall(
        r"^\.\. autoapi(?:class|function):: ([\w.]+)", page.read_text("utf-8"), re.MULTILINE
    )
}
EXPORTING = runpy.run_path(str(PAGES[0].parents[1] / "conf.py"))["EXPORTING"]
PUBLIC = [
    f"{PACKAGE}.{package}.{name}"
    for package in EXPORTING
    for name in import_module(f"{PACKAGE}.{package}").__all__
]
# Their arguments are passed on to Airflow, or have no names.
NOT_DESCRIBED = {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}


def load(name):
    module, _, attribute = name.rpartition(".")
    if "Approve" in attribute and not HAS_APPROVAL:
        pytest.skip("asking a user needs Airflow 3.1")
    return getattr(import_module(module), attribute)


def arguments_of(name):
    parameters = inspect.signature(load(name)).parameters.values()
    return [each.name for each in parameters if each.kind not in NOT_DESCRIBED]


def test_reference_has_every_public_name_once():
    assert sorted(set(PUBLIC) - DIRECTIVES) == [], "add them to a page in docs/reference"


@pytest.mark.parametrize("name", PUBLIC)
def test_docstring_describes_each_argument(name):
    documented = re.findall(r":param (\w+):", inspect.getdoc(load(name)) or "")
    assert [each for each in arguments_of(name) if each not in documented] == []


@pytest.mark.parametrize("name", [each for each in PUBLIC if ".operators." in each or ".sensors." in each])
def test_docstring_names_templated_arguments(name):
    operator = load(name)
    descriptions = dict(re.findall(r":param (\w+): (.*?)(?=\n:|\Z)", inspect.getdoc(operator), re.DOTALL))
    templated = set(operator.template_fields) & set(arguments_of(name))
    assert {each for each, text in descriptions.items() if "(templated)" in text} == templated
