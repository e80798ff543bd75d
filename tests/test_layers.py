"""The picture of the rooms holds: nothing imports upwards."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "airflow_provider_renderbus"
FILES = sorted((ROOT / PACKAGE).rglob("*.py"))

# Which other rooms each room may know. A module at the top of the package is a room of its own.
MAY_KNOW = {
    "__init__": set(),
    "api": set(),
    "clients": {"api"},
    "cancelling": {"api", "clients", "hooks", "triggers", "waits"},
    "ends": {"api", "waits"},
    "farm": {"api.signing"},
    "hooks": {"api", "clients"},
    "jobs": {"api"},
    "links": set(),
    "operators": {
        "api",
        "cancelling",
        "clients",
        "ends",
        "hooks",
        "jobs",
        "links",
        "outlets",
        "poking",
        "report",
        "transfer",
        "triggers",
        "waits",
    },
    "outlets": set(),
    "provider_info": {"__init__", "hooks"},
    "poking": {"api", "cancelling", "clients", "hooks", "waits"},
    "report": {"api", "clients", "hooks", "waits"},
    "sensors": {
        "api",
        "cancelling",
        "clients",
        "ends",
        "hooks",
        "links",
        "outlets",
        "poking",
        "report",
        "triggers",
        "waits",
    },
    "transfer": {"api", "clients"},
    "triggers": {"api", "clients", "hooks", "waits"},
    "waits": {"api", "clients"},
}
NO_AIRFLOW = {"api", "clients", "farm", "jobs", "transfer", "waits"}


def room_of(file):
    return file.relative_to(ROOT / PACKAGE).parts[0].removesuffix(".py")


def imported(file):
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield node.module or ""


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_nothing_imports_upwards(file):
    room = room_of(file)
    for name in imported(file):
        if name == "airflow" or name.startswith("airflow."):
            assert room not in NO_AIRFLOW, f"{room} imports {name}"
        if name == PACKAGE:
            assert "__init__" in MAY_KNOW[room]
        elif name.startswith(f"{PACKAGE}."):
            inner = name.removeprefix(f"{PACKAGE}.")
            known = MAY_KNOW[room] | {room}
            assert any(inner == other or inner.startswith(f"{other}.") for other in known), (
                f"{room} imports {inner}"
            )


def test_api_knows_the_standard_library_only_and_no_clock():
    for file in FILES:
        if room_of(file) == "api":
            for name in imported(file):
                top = name.partition(".")[0]
                assert top == PACKAGE or top in sys.stdlib_module_names or top == "_typeshed"
                assert top not in {"time", "random", "os", "socket", "secrets"}, f"{file} imports {name}"


def test_every_room_stands_in_the_table_of_the_guide():
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    told = set(re.findall(r"^\| `([a-z_]+)(?:/|\.py)` \|", guide, re.MULTILINE))
    assert told == MAY_KNOW.keys() - {"__init__"}


def test_the_table_of_rooms_is_whole():
    assert {room_of(file) for file in FILES} == MAY_KNOW.keys()
