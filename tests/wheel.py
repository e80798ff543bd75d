"""The wheel as users get it: built from the sdist and installed into an empty environment.

`make package` runs this file; because of its name it is not part of the suite.
"""

import json
import os
import re
import subprocess
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

from airflow_provider_renderbus.farm import Farm
from dev.harness.airflow_instance import inherited_environment
from tests.readme import quickstart_in

ROOT = Path(__file__).parents[1]
LINES = [(2, 11), (3, 0), (3, 1), (3, 2), (3, 3)]
NAME = "airflow-provider-renderbus"
PACKAGE = "airflow_provider_renderbus"


def environment_of(line):
    """The folder of programs of the empty environment of a line of Airflow."""
    return ROOT / ".venv-package-{}.{}".format(*line) / "bin"


BIN = environment_of(LINES[-1])


@pytest.fixture(scope="module")
def wheel():
    (path,) = (ROOT / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def metadata(wheel):
    (path,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return HeaderParser().parsestr(wheel.read(path).decode())


@pytest.fixture(scope="module")
def page(wheel):
    """The text of the package page."""
    (path,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return HeaderParser().parsestr(wheel.read(path).decode()).get_payload()


@pytest.fixture
def run(tmp_path):
    """Runs a program of the empty environment in an empty folder."""

    def run(program, *arguments):
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        return subprocess.run(
            [BIN / program, *arguments],
            cwd=tmp_path,
            env={**inherited, "AIRFLOW_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_wheel_has_the_check_of_the_live_farm(run):
    result = run("renderbus-check", "--help")
    assert (result.returncode, "--max-cost" in result.stdout) == (0, True), result.stderr


def test_wheel_contains_exactly_the_package(wheel):
    files = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert files == {
        str(path.relative_to(ROOT))
        for path in (ROOT / PACKAGE).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert f"{PACKAGE}/py.typed" in files
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel.namelist())


def test_wheel_requires_only_what_airflow_installs(metadata):
    requirements = {
        re.match(r"[\w.-]+", requirement)[0]
        for requirement in metadata.get_all("Requires-Dist")
        if "extra ==" not in requirement
    }
    assert requirements == {
        "apache-airflow",
        "asgiref",
        "httpx",
        "jsonschema",
        "tenacity",
    }


def test_package_page_links_to_files_that_exist(page, metadata):
    repository = dict(url.split(", ") for url in metadata.get_all("Project-URL"))["Homepage"]
    raw = repository.replace("github.com", "raw.githubusercontent.com") + "/main/"
    targets = re.findall(r"\]\(([^)]+)\)", page)
    assert len(targets) > 20
    for target in targets:
        assert target.startswith(("https://", "#")), target
        for prefix in (raw, f"{repository}/blob/main/"):
            if target.startswith(prefix):
                assert (ROOT / target.removeprefix(prefix).partition("#")[0]).exists(), target


def test_builds_are_reproducible():
    """`make package` has built sdist and wheel twice."""
    first, second = ROOT / "dist", ROOT / "dist" / "again"
    names = sorted(path.name for path in first.glob("*-*") if path.is_file())
    assert [name.rpartition(".")[2] for name in names] == ["whl", "gz"]
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_airflow_lists_provider(run, metadata):
    providers = json.loads(run("airflow", "providers", "list", "--output", "json").stdout)
    (provider,) = (each for each in providers if each["package_name"] == NAME)
    assert provider["version"] == metadata["Version"]


def test_airflow_shows_hook_and_connection_type(run):
    (provider,) = json.loads(run("airflow", "providers", "get", NAME, "--full", "--output", "json").stdout)
    assert "renderbus.RenderbusHook" in json.dumps(provider)
    hooks = json.loads(run("airflow", "providers", "hooks", "--output", "json").stdout)
    assert [each["hook_name"] for each in hooks if each["connection_type"] == "renderbus"] == ["Renderbus"]


def test_modules_without_extra_are_importable_except_farm(run):
    program = f"""if True:
        import importlib, pathlib, {PACKAGE}
        root = pathlib.Path({PACKAGE}.__file__).parent
        for file in sorted(root.rglob("*.py")):
            name = ".".join(file.relative_to(root.parent).with_suffix("").parts)
            if not name.startswith("{PACKAGE}.farm"):
                importlib.import_module(name.removesuffix(".__init__"))
    """
    process = run("python", "-W", "ignore", "-c", program)
    assert process.returncode == 0, process.stderr


def test_farm_without_extra_names_it(run):
    process = run("python", "-m", f"{PACKAGE}.farm", "--help")
    assert process.returncode == 1
    assert "install the extra farm (numpy and Pillow)" in process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize("line", LINES, ids=[f"{line[0]}.{line[1]}" for line in LINES])
def test_readme_quickstart_runs_with_wheel(tmp_path, line):
    with Farm(tmp_path / "farm", speed=300.0, scenario={"pictures": False}) as farm:
        process = subprocess.run(
            ["bash", "-euc", quickstart_in(tmp_path / "quickstart", line)],
            cwd=tmp_path,
            env={
                **inherited_environment(),
                "PATH": f"{environment_of(line)}:{os.environ['PATH']}",
                "AIRFLOW_CONN_RENDERBUS_DEFAULT": json.dumps(farm.connection()),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
    assert process.returncode == 0, process.stdout
    assert "8 of 8 frames done" in process.stdout
    assert len(list((tmp_path / "quickstart" / "frames").rglob("*.png"))) == 8
