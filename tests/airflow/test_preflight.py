"""What is refused before anything is sent or paid: wrong arguments, folders, commands, proxies, accounts."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import os
import re
from decimal import Decimal
from pathlib import Path

import pytest

from airflow_provider_renderbus.api.calls import transfer as transfer_calls
from airflow_provider_renderbus.compat import DAG, AirflowException, AirflowFailException, TaskDeferred
from airflow_provider_renderbus.decorators import renderbus_task
from airflow_provider_renderbus.farm import Farm, ManualClock
from airflow_provider_renderbus.operators import (
    RenderbusCreateTaskOperator,
    RenderbusListOutputsOperator,
    RenderbusRenderOperator,
    RenderbusSubmitTaskOperator,
)
from airflow_provider_renderbus.sensors import (
    RenderbusFramesSensor,
    RenderbusOutputSensor,
    RenderbusTaskSensor,
)
from dev.harness.embedded_farm import StockedFarm
from tests.airflow.context import StateStore, context
from tests.airflow.trigger_events import first_event
from tests.scenes import make_task_json
from tests.transfer_command import transfer_command

pytestmark = pytest.mark.usefixtures("transfers", "no_proxies", "no_waiting")

HUGE = 10**30
NAN = math.nan
OTHER_DIGITS = "\u0665"  # Arabic-Indic 5
SURROGATE = "\ud800"
NO_AMOUNTS = [
    "much",
    "",
    "1,5",
    NAN,
    "NaN",
    Decimal("NaN"),
    math.inf,
    True,
    HUGE,
    OTHER_DIGITS,
    b"1",
    [1],
    {},
]
NO_PATTERNS = [["*.exr", "*.png"], None, "", " ", 10, b"*", {"*": 1}, "*\n", SURROGATE]
NO_SECONDS = [0, -1, "soon", NAN, math.inf, True, HUGE, OTHER_DIGITS, b"1"]


class BytesPath:
    """A path object whose path is bytes."""

    def __fspath__(self):
        return b"/mnt/frames"


# Refused before any request, by argument. FOLDER in a path is a folder of the test.
REFUSED_WITHOUT_A_REQUEST = {
    "task_json": [
        *(None, "", 7, b"{}", [], "[1]", "{", "no.json", "a\0.json", f"{SURROGATE}.json", BytesPath()),
        *("FOLDER/folder.json", "FOLDER/pipe.json", Path("FOLDER/text.ma"), {1, 2}, {"task_info": NAN}),
        *({**make_task_json(), "x": value} for value in (SURROGATE, b"1", {1, 2}, 10**400)),
    ],
    "upload_json": [7, "x", "no.json", b"", {"asset": [{"local": 7, "server": "/x"}]}],
    "asset_json": [7, [], ""],
    "tips_json": [{"": []}, {"1": 7}, []],
    "project_name": [7, "", " ", ["Sun"], {}, b"Sun", "Sun\nMoon", SURROGATE],
    "hardware": [
        *("Default", "", [], 7, {"colour": 1}, {1: 2}, {"model": 7}, {"model": ""}),
        *({"ram": value} for value in (-1, 1.5, True, HUGE, OTHER_DIGITS, "much")),
    ],
    "labels": ["night", b"night", {"night": 1}, 7, [7], [""], [None], [["night"]], ["a\nb"], [SURROGATE]],
    "artist": [7, b"Ada", ["Ada"], {}, "Ada\nBob", SURROGATE, "x" * 101, "Ada [airflow 45b7"],
    "priority": ["high", 51, None, 50.0, True, [50], OTHER_DIGITS],
    "assets": [
        *(7, b"/x", [b"/x"], [7], [None], [], "", "relative", "/mnt/../x", "/mnt/nowhere", "/dev/null"),
        *("/x\0", [f"/{SURROGATE}"], {}, {"asset": 7}, "no.json", "FOLDER/dangling", "FOLDER/loop"),
        *("FOLDER/pipe.json", {"asset": [{"local": "/mnt/nowhere", "server": "/x"}]}, BytesPath()),
    ],
    "download_folder": [
        *(7, b"/x", ["/x"], "", "relative", "~/frames", BytesPath(), "/a\0b", "/a\nb", f"/{SURROGATE}"),
        *("/proc/sys/kernel", "/proc/renderbus", "/sys/renderbus", "/dev/null", "/mnt/" + "x" * 300),
        *("FOLDER/text.ma", "FOLDER/text.ma/frames", "FOLDER/dangling", "FOLDER/loop"),
    ],
    "download_pattern": NO_PATTERNS,
    "download_layout": [
        7,
        "",
        "/x",
        "../x",
        "{frame}",
        "{",
        b"x",
        ["x"],
        "a\nb",
        "{layer:9}",
        "a/" * 999 + "a",
    ],
    "transfer_line": [7, "", ["Aspera"], "a\nb", SURROGATE],
    "transfer_speed_limit_kb_per_s": [0, -1, "fast", 1.5, True, HUGE, OTHER_DIGITS, b"1"],
    "transfer_stall_timeout": [*NO_SECONDS, dt.timedelta(minutes=5)],
    "poll_interval": [*NO_SECONDS, dt.timedelta(minutes=5)],
    "timeout": [*NO_SECONDS, None, dt.timedelta(0), dt.timedelta(-1), dt.timedelta.max],
    "max_duration": [*NO_SECONDS, dt.timedelta(0), dt.timedelta(-1), dt.timedelta.max],
    "max_cost": [0, -1, *NO_AMOUNTS, dt.timedelta(1)],
    "min_funds": [-1, *NO_AMOUNTS],
    "on_insufficient_funds": ["pay", None, True, ["fail"]],
    "on_failed_frames": ["retry", None],
    "on_test_frames_done": ["go", 40],
    "on_missing_frames": ["retry", None],
    "on_job_change": ["ignore", None],
    "max_recommits": [-1, "many", 1.5, True, HUGE, None],
    "cancel_on_kill": ["false", 0, None],
    "deferrable": ["false", 1, None],
    "renderbus_conn_id": [7, "", None, b"renderbus_default", ["renderbus_default"], "a\nb"],
}
# Refused after requests that change nothing on the farm.
REFUSED_BY_THE_FARM = {
    "project_name": ["Moon"],
    "hardware": [{"ram": 7}, {"model": "Default"}],
    "transfer_line": ["no such line"],
    "min_funds": [10**11],
}
# What preflight compares a render with; test_farm_preflight.py has its tests.
LISTS = {"query_software_list", "query_software_detail", "query_platforms", "list_projects"}
# The files are named in their errors as they are on the farm.
NAMES = {"task_json": r"task[_.]json", "upload_json": r"upload[_.]json", "tips_json": r"tips[_.]json"}


def cases(table):
    return [
        pytest.param(name, value, id=f"{name}-{ascii(value)[:40]}")
        for name, values in table.items()
        for value in values
    ]


@pytest.fixture(scope="module")
def farm(tmp_path_factory):
    """One farm for all tests, since nothing is created on it but by the tests that say so."""
    folder = tmp_path_factory.mktemp("farm") / "storage"
    with StockedFarm(folder, ManualClock(), scenario={"pictures": False}) as running:
        yield running


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    return transfer_command(tmp_path_factory.mktemp("transfer") / "command")


@pytest.fixture
def no_proxies(monkeypatch):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def no_waiting(farm, hook_sleeps):
    """A render that is not refused comes to its end at once."""
    hook_sleeps(farm.advance)


@pytest.fixture
def folder(tmp_path):
    """A folder with what is no folder to write to, and no file to read."""
    (tmp_path / "text.ma").write_text("no JSON")
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "dangling").symlink_to(tmp_path / "missing" / "frames")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    return tmp_path


def put_into(folder, value):
    """Replace FOLDER in a path by a folder."""
    if isinstance(value, str | Path):
        return type(value)(str(value).replace("FOLDER", str(folder)))
    return value


def arguments_with(name, value, folder):
    arguments = {"task_json": make_task_json(), "poll_interval": 60, name: put_into(folder, value)}
    if name == "transfer_line":  # which the farm is asked for only if there is something to transfer
        return {"download_folder": str(folder / "frames"), **arguments}
    return arguments


def refusal(farm, build):
    """Return the error of an operator's first try, and the requests that were sent."""
    before = farm.request_counts.copy()
    with pytest.raises((AirflowException, ValueError)) as raised:
        build().execute({**context(), "task_state_store": StateStore()})
    sent = {call for call, count in farm.request_counts.items() if count > before[call]}
    return raised.value, sent


@pytest.mark.parametrize(("name", "value"), cases(REFUSED_WITHOUT_A_REQUEST))
def test_render_with_wrong_argument_sends_nothing(name, value, farm, folder):
    arguments = arguments_with(name, value, folder)
    error, sent = refusal(farm, lambda: RenderbusRenderOperator(task_id="render", **arguments))
    assert sent == set()
    assert re.search(rf"^{NAMES.get(name, name)}\b.*: ", str(error)), error
    assert any(word in str(error) for word in ("must ", "cannot read", "no such", "No such", "Too many")), (
        error
    )


@pytest.mark.parametrize(("name", "value"), cases(REFUSED_BY_THE_FARM))
def test_render_that_the_account_cannot_have_creates_nothing(name, value, farm, folder):
    arguments = arguments_with(name, value, folder)
    error, sent = refusal(farm, lambda: RenderbusRenderOperator(task_id="render", **arguments))
    assert isinstance(error, AirflowFailException)
    assert name in str(error)
    assert sent <= {*LISTS, "query_user_profile", "list_hardware_configs", "get_transfer_config"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("download_pattern", ["*.exr"]),
        ("download_folder", "/proc/sys/kernel"),
        ("assets", "/mnt/nowhere"),
        ("hardware", "Default"),
        ("max_cost", "NaN"),
    ],
)
def test_decorated_render_with_wrong_argument_calls_no_function_and_sends_nothing(name, value, farm, folder):
    arguments = arguments_with(name, value, folder)
    del arguments["task_json"]
    called = []

    def shot():
        called.append(name)
        return make_task_json()

    def build():
        with DAG("night", schedule=None):
            return renderbus_task(shot, **arguments)().operator

    error, sent = refusal(farm, build)
    assert (name in str(error), sent) == (True, set())
    assert called == ([name] if name in {"assets", "hardware"} else [])


def test_decorated_render_of_nonsense_sends_nothing(farm):
    def shot():
        return {"task_info": {"cg_id": SURROGATE}}

    def build():
        with DAG("night", schedule=None):
            return renderbus_task(shot)().operator

    error, sent = refusal(farm, build)
    assert ("task_json: must be without lone surrogates" in str(error), sent) == (True, set())


@pytest.mark.parametrize(
    ("name", "value"),
    cases(
        {
            "count": [0, -1, "many", 1.5, True, HUGE, OTHER_DIGITS, None, [1]],
            "priority": REFUSED_WITHOUT_A_REQUEST["priority"],
            "labels": REFUSED_WITHOUT_A_REQUEST["labels"],
            "artist": REFUSED_WITHOUT_A_REQUEST["artist"][:-2],
            "clone_original_id": [0, -1, "x", 1.5, True, HUGE, OTHER_DIGITS, [1], {}],
            "renderbus_conn_id": REFUSED_WITHOUT_A_REQUEST["renderbus_conn_id"],
        }
    ),
)
def test_create_with_wrong_argument_sends_nothing(name, value, farm):
    error, sent = refusal(farm, lambda: RenderbusCreateTaskOperator(task_id="create", **{name: value}))
    assert (str(error).startswith(f"{name}: must "), sent) == (True, set()), error


@pytest.mark.parametrize(
    ("name", "value"),
    cases(
        {
            "render_task_id": [None, 0, -1, "x", 1.5, True, HUGE, OTHER_DIGITS, [], {}, b"1"],
            **{
                name: REFUSED_WITHOUT_A_REQUEST[name]
                for name in (
                    *("artist", "poll_interval", "timeout", "max_duration", "max_cost", "min_funds"),
                    *("on_insufficient_funds", "on_failed_frames", "on_test_frames_done", "max_recommits"),
                    *("cancel_on_kill", "deferrable", "renderbus_conn_id"),
                )
            },
            "wait_for_completion": ["false", 1],
        }
    ),
)
def test_submit_with_wrong_argument_sends_nothing(name, value, farm):
    arguments = {"render_task_id": 35000001, "wait_for_completion": True, name: value}
    error, sent = refusal(farm, lambda: RenderbusSubmitTaskOperator(task_id="submit", **arguments))
    assert (str(error).startswith(f"{name}: must "), sent) == (True, set()), error


@pytest.mark.parametrize(
    ("operator_class", "name", "value"),
    [
        *((RenderbusListOutputsOperator, "pattern", value) for value in NO_PATTERNS),
        *((RenderbusOutputSensor, "pattern", value) for value in NO_PATTERNS),
        *((RenderbusOutputSensor, "min_files", value) for value in (0, -1, "many", True, HUGE, OTHER_DIGITS)),
        *((RenderbusFramesSensor, "min_fraction", value) for value in (0, 2, -1, "1_0", *NO_AMOUNTS)),
        *((RenderbusFramesSensor, "frames", value) for value in ("6", b"6", {"6": 1}, 6, [6], [], [""])),
        *((RenderbusTaskSensor, "max_cost", value) for value in (0, -1, *NO_AMOUNTS)),
    ],
)
def test_wrong_argument_about_a_render_sends_nothing(operator_class, name, value, farm):
    def build():
        operator = operator_class(task_id="wait", **{"render_task_id": 35000001, name: value})
        operator.execute = getattr(operator, "poke", operator.execute)
        return operator

    error, sent = refusal(farm, build)
    assert isinstance(error, AirflowFailException), error
    assert (str(error).startswith(f"{name}: must "), sent) == (True, set()), error


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("max_cost", "{{ params.nothing }}"),
        ("max_cost", "{{ params.empty }}"),
        ("max_cost", "{{ params.word }}"),
        ("min_funds", "{{ params.nothing }}"),
        ("assets", "{{ params.nothing }}"),
        ("assets", "{{ params.empty }}"),
        ("assets", ["{{ params.empty }}"]),
        ("download_folder", "{{ params.nothing }}"),
        ("download_folder", "{{ params.empty }}"),
        ("download_folder", Path("{{ params.word }}/frames")),
        ("download_pattern", "{{ params.empty }}"),
        ("priority", "{{ params.word }}"),
        ("task_json", "{{ params.word }}"),
        ("task_json", {"task_info": "{{ params.word }}"}),
        ("hardware", {"ram": "{{ params.word }}"}),
    ],
)
def test_render_with_template_that_gives_nonsense_sends_nothing(name, template, native, farm, folder):
    def build():
        with DAG("night", schedule=None, render_template_as_native_obj=native) as dag:
            operator = RenderbusRenderOperator(task_id="render", **arguments_with(name, template, folder))
        params = {"nothing": None, "empty": "", "word": "often"}
        operator.render_template_fields({"params": params}, dag.get_template_env())
        return operator

    error, sent = refusal(farm, build)
    assert isinstance(error, AirflowFailException)
    assert (re.search(NAMES.get(name, name), str(error)) is not None, sent) == (True, set()), error


def test_render_with_state_folder_that_cannot_be_made_sends_nothing(farm, folder, monkeypatch):
    monkeypatch.setenv("AIRFLOW__RENDERBUS__TRANSFER_STATE_FOLDER", "/proc/renderbus")
    arguments = {"task_json": make_task_json(), "download_folder": str(folder / "frames")}
    error, sent = refusal(farm, lambda: RenderbusRenderOperator(task_id="render", **arguments))
    assert "[renderbus] transfer_state_folder: must be a folder in which this worker can write" in str(error)
    assert (type(error), sent) == (AirflowException, set()), "another worker may have the folder"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("FOLDER/renderbus-farm-transmitter", "does not exist on this worker"),
        ("FOLDER/not_executable/renderbus-farm-transmitter", "is not executable"),
        ("FOLDER/program", "transfer_command: must be the path of a file named"),
    ],
)
def test_render_without_usable_transfer_command_sends_nothing(path, message, farm, folder, connect):
    (folder / "not_executable").mkdir()
    (folder / "not_executable" / "renderbus-farm-transmitter").touch()
    connect(put_into(folder, path))
    arguments = {"task_json": make_task_json(), "download_folder": str(folder / "frames")}
    error, sent = refusal(farm, lambda: RenderbusRenderOperator(task_id="render", **arguments))
    assert (type(error), message in str(error), sent) == (AirflowFailException, True, set()), error


def test_render_of_account_without_storage_creates_nothing(farm, folder, monkeypatch):
    read = transfer_calls.read_transfer_bids
    monkeypatch.setattr(transfer_calls, "read_transfer_bids", lambda data: read({**data, "input_bid": None}))
    arguments = {"task_json": make_task_json(), "assets": [str(folder / "text.ma")]}
    error, sent = refusal(farm, lambda: RenderbusRenderOperator(task_id="render", **arguments))
    assert "no input storage id" in str(error)
    assert (type(error), "create_task" in sent) == (AirflowFailException, False)


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize(
    "variables",
    [
        {"all_proxy": "socks5://127.0.0.1:9"},
        {"http_proxy": "socks5://127.0.0.1:9", "all_proxy": "http://127.0.0.1:9"},
        {"http_proxy": "ftp://127.0.0.1:9"},
        {"http_proxy": "http://[::1"},
    ],
)
def test_render_through_proxy_that_no_client_takes_sends_nothing(variables, deferrable, farm, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    arguments = {"task_json": make_task_json(), "deferrable": deferrable}
    error, sent = refusal(farm, lambda: RenderbusRenderOperator(task_id="render", **arguments))
    assert re.match(r"(http_proxy|http_proxy or all_proxy): must be\b", str(error)), error
    assert (type(error), sent) == (AirflowFailException, set())


@pytest.mark.parametrize(
    "variables",
    [
        {"no_proxy": "127.0.0.1,[::1]"},
        {"no_proxy": "127.0.0.1,fe80::/10"},
        {"all_proxy": "socks5://127.0.0.1:9", "no_proxy": "127.0.0.1"},
    ],
)
def test_deferred_render_past_proxies_that_httpx_itself_refuses_is_polled(variables, farm, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    arguments = {"task_json": make_task_json(), "deferrable": True, "poll_interval": 0.01}
    operator = RenderbusRenderOperator(task_id="render", **arguments)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({**context(), "task_state_store": StateStore()})
    farm.advance(3600)
    event = asyncio.run(first_event(deferred.value.trigger))
    assert event.payload["outcome"] == "succeeded", event.payload


def test_number_is_created_only_after_every_check(farm, folder, monkeypatch):
    """What follows the create are requests of the render itself: a refusal by them is the farm's."""
    order = []
    execute = Farm._execute

    def record(self, call, *arguments):
        order.append(call.__name__)
        return execute(self, call, *arguments)

    monkeypatch.setattr(Farm, "_execute", record)
    arguments = {
        "task_json": make_task_json(),
        "assets": [str(folder / "text.ma")],
        "download_folder": str(folder / "frames"),
        "hardware": {"ram": 64},
        "min_funds": "1",
        "deferrable": True,
    }
    with pytest.raises(TaskDeferred):
        RenderbusRenderOperator(task_id="render", **arguments).execute(
            {**context(), "task_state_store": StateStore()}
        )
    created = order.index("create_task")
    assert sorted(call for call in order[:created] if call not in LISTS) == [
        "get_transfer_bid",
        "get_transfer_config",
        "list_hardware_configs",
        "query_user_profile",
    ]
    assert order[created:] == [
        "create_task",
        "upload_task_json",
        "query_user_profile",  # the funds again, since an upload may take hours
        "submit_task",
        "query_task_info",
    ]
