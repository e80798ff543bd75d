"""Tests that modules import only what the diagram of the packages in CONTRIBUTING.md allows."""

import ast
import re
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "airflow_provider_renderbus"
FILES = sorted((ROOT / PACKAGE).rglob("*.py"))

# Which packages each package may import. A module at the top of the package counts as a package of its own.
MAY_IMPORT = {
    "__init__": set(),
    "api": set(),
    "cancel_on_kill": {"compat", "api", "hooks", "polling", "render_record", "renders"},
    "clients": {"api"},
    "compat": set(),
    "decorators": {"compat", "api", "operators"},
    "farm": {"api.signing"},
    "get_provider_info": {"__init__", "hooks"},
    "hooks": {"compat", "api", "clients", "metrics"},
    "links": {"compat"},
    "live_check": {"__init__", "api", "clients", "hooks", "task_json", "transfer"},
    "native_templates": {"compat"},
    "operators": {
        "compat",
        "api",
        "cancel_on_kill",
        "clients",
        "hooks",
        "links",
        "native_templates",
        "polling",
        "render_record",
        "preflight",
        "renders",
        "shot_names",
        "task_json",
        "task_result",
        "transfer",
        "triggers",
    },
    "polling": {"compat", "api", "clients", "hooks", "renders"},
    "metrics": {"api"},
    "render_record": {"compat", "api", "metrics", "renders", "shot_names"},
    "preflight": {"api", "clients", "task_json"},
    "renders": {"api", "clients"},
    "sensors": {
        "compat",
        "api",
        "cancel_on_kill",
        "hooks",
        "links",
        "native_templates",
        "polling",
        "render_record",
        "renders",
        "shot_names",
        "task_result",
        "triggers",
    },
    "reports": {
        "compat",
        "api",
        "clients",
        "hooks",
        "operators",
        "polling",
        "render_record",
        "renders",
        "sensors",
        "shot_names",
    },
    "shot_names": {"api"},
    "task_json": {"api"},
    "task_result": {"compat", "api", "render_record", "renders"},
    "transfer": {"api"},
    "triggers": {"api", "clients", "polling", "renders"},
    "web": {"__init__", "compat", "api", "clients", "hooks", "links", "renders", "transfer"},
}
# Who asks a user needs Airflow's own operator, in a module of its own.
HITL = "airflow.providers.standard.operators.hitl"
NO_AIRFLOW = {"api", "clients", "farm", "live_check", "preflight", "renders", "task_json", "transfer"}
CLOCK_READINGS = {"monotonic", "now", "sleep", "time", "today", "utcnow"}


def package_of(file):
    return file.relative_to(ROOT / PACKAGE).parts[0].removesuffix(".py")


def imported(file):
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield node.module or ""


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_module_imports_lower_packages_only(file):
    package = package_of(file)
    for name in imported(file):
        if name == "airflow" or name.startswith("airflow."):
            assert package not in NO_AIRFLOW, f"{package} imports {name}"
            assert name == HITL or not name.startswith("airflow.providers."), (
                f"{name} may be older than needed: see compat.py"
            )
        if name == PACKAGE:
            assert "__init__" in MAY_IMPORT[package]
        elif name.startswith(f"{PACKAGE}."):
            inner = name.removeprefix(f"{PACKAGE}.")
            allowed = MAY_IMPORT[package] | {package}
            assert any(inner == other or inner.startswith(f"{other}.") for other in allowed), (
                f"{package} imports {inner}"
            )


def runtime_imports(node):
    """Yield the imports of a module, in functions too, except those for type checking only."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.ImportFrom):
            yield child.module
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        yield from runtime_imports(child)


def test_module_imports_form_no_circle():
    files = {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in FILES}
    modules = {
        name.removesuffix(".__init__"): ast.parse(file.read_text("utf-8")) for name, file in files.items()
    }
    graph = {
        name: {other for other in runtime_imports(tree) if other in modules} - {name}
        for name, tree in modules.items()
    }
    TopologicalSorter(graph).prepare()


def test_layer_table_has_no_circle():
    TopologicalSorter(MAY_IMPORT).prepare()


def test_api_imports_standard_library_only_and_no_clock():
    for file in FILES:
        if package_of(file) == "api":
            for name in imported(file):
                top = name.partition(".")[0]
                assert top == PACKAGE or top in sys.stdlib_module_names or top == "_typeshed"
                assert top not in {"time", "random", "os", "socket", "secrets"}, f"{file} imports {name}"


@pytest.mark.parametrize(
    "file", [file for file in FILES if package_of(file) == "renders"], ids=lambda f: f.name
)
def test_renders_module_has_no_airflow_and_no_clock_but_the_one_handed_in(file):
    for name in imported(file):
        assert name.partition(".")[0] not in {"airflow", "asyncio", "threading", "time"}, f"it imports {name}"
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in CLOCK_READINGS:
            assert re.fullmatch(r"(\w+\.)?clock\.\w+", ast.unparse(node.func)), ast.unparse(node)


def test_contributing_table_lists_every_package():
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    listed = set(re.findall(r"^\| `([a-z_]+)(?:/|\.py)` \|", guide, re.MULTILINE))
    assert listed == MAY_IMPORT.keys() - {"__init__"}


def test_layer_table_covers_every_package():
    assert {package_of(file) for file in FILES} == MAY_IMPORT.keys()
