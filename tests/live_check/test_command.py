"""renderbus-check as a user runs it: arguments, questions, table, exit codes, a report without secrets."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_renderbus.clients.clock import Clock
from airflow_provider_renderbus.farm import ManualClock
from airflow_provider_renderbus.live_check import command
from airflow_provider_renderbus.live_check.assumption import HOLDS, Assumption
from airflow_provider_renderbus.live_check.command import FREE, KEY_VARIABLE, PAID, main
from airflow_provider_renderbus.live_check.report import HIDDEN, hide_private, is_live_host
from dev import assumptions
from tests.live_check.broken_farm import BrokenFarm, refuse
from tests.transfer_command import transfer_command

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PERSONAL = {
    "userName": "ada_lovelace",
    "name": "Ada Lovelace",
    "phone": "138 1234 5678",
    "email": "ada@example.com",
    "company": "Analytical Engines",
    "address": "12 St James's Square",
    "communicationNumber": "987654321",
}


@pytest.fixture
def farm(tmp_path):
    with BrokenFarm(tmp_path / "farm", ManualClock()) as running:
        yield running


@pytest.fixture(scope="module")
def transfer(tmp_path_factory):
    return transfer_command(tmp_path_factory.mktemp("transfer") / "command")


@pytest.fixture
def account(farm, transfer, monkeypatch):
    """Arguments of the command without a connection."""
    connection = farm.connection()
    monkeypatch.setenv(KEY_VARIABLE, connection["password"])
    return [
        *("--host", f"{connection['host']}:{connection['port']}", "--protocol", "http"),
        *("--access-id", connection["login"], "--transfer-command", str(transfer)),
    ]


@pytest.fixture(autouse=True)
def own_signal_handlers():
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def run(farm, arguments, **asked):
    return main(arguments, clock=Clock(sleep=farm.advance), **asked)


def never(question):
    pytest.fail(f"asked {question}")


def test_command_prints_every_assumption_and_succeeds(farm, account, capsys):
    assert run(farm, account, ask=never, ask_secretly=never) == 0
    output = capsys.readouterr().out
    assert output.splitlines()[0].split() == ["assumption", "source", "seen", "verdict"]
    assert len(re.findall(r"\bholds$", output, re.MULTILINE)) == len(FREE)
    assert f"{len(FREE)} of {len(FREE)} assumptions hold" in output


def test_command_asks_for_the_key_if_the_environment_has_none(farm, account, monkeypatch):
    key = os.environ[KEY_VARIABLE]
    monkeypatch.delenv(KEY_VARIABLE)
    asked = []
    assert run(farm, account, ask_secretly=lambda question: asked.append(question) or key) == 0
    assert asked == ["Access key: "]


def test_command_uses_a_connection(farm, transfer, monkeypatch):
    connection = farm.connection()
    connection["extra"] |= {"transfer_command": str(transfer)}
    monkeypatch.setenv("AIRFLOW_CONN_FARM", json.dumps(connection))
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    assert run(farm, ["--conn-id", "farm"], ask_secretly=never) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--access-id: must be given, or --conn-id"),
        (["--access-id", "a", "--host", "no host"], "--host: must be a domain"),
        (["--access-id", "a", "--platform", "moon"], "platform: must be one of"),
        (["--conn-id", "no_such_connection"], "no_such_connection"),
        (
            ["--access-id", "a", "--render", "/mnt/nowhere.blend", "--max-cost", "1"],
            "must be a scene on this machine",
        ),
        (["--access-id", "a", "--render", "/mnt/nowhere.blend", "--max-cost", "0"], "--max-cost: must be"),
    ],
)
def test_wrong_arguments_send_nothing(arguments, message, farm, capsys, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "key")
    assert run(farm, arguments) == 2
    assert message in capsys.readouterr().err


def test_render_without_a_limit_of_its_cost_is_refused(farm, account, capsys):
    with pytest.raises(SystemExit, match="2"):
        run(farm, [*account, "--render", "a.blend"])
    assert "--render and --max-cost: must be given together" in capsys.readouterr().err


@pytest.fixture
def rendering(account, tmp_path):
    scene = tmp_path / "shot.blend"
    scene.write_text("a scene")
    return [*account, "--render", str(scene), "--max-cost", "20"]


@pytest.mark.parametrize("answer", ["", "y", "no"])
def test_render_without_a_yes_sends_nothing(answer, farm, rendering):
    assert run(farm, rendering, ask=lambda _: answer) == 2
    assert not farm.request_counts


def test_render_after_a_yes_checks_everything(farm, rendering, capsys):
    questions = []
    assert run(farm, rendering, ask=lambda question: questions.append(question) or "yes") == 0
    (question,) = questions
    assert all(word in question for word in ("shot.blend", "20", "The frame is paid"))
    assert f"{len(FREE) + len(PAID)} of {len(FREE) + len(PAID)} assumptions hold" in capsys.readouterr().out
    assert farm.request_counts["submit_task"] == 1


def leak(exchange):
    """A farm that has personal data, and has it in its refusals too."""
    if exchange.call == "query_user_profile" and exchange.envelope.get("data"):
        exchange.envelope["data"] |= PERSONAL
    if exchange.call in {"stop_task", "get_output_files"}:
        exchange.envelope = refuse(
            403, f"{', '.join(PERSONAL.values())}, number 35000001, +86-139-0000-1111, b@c.de"
        )
    if exchange.call == "list_projects":
        exchange.envelope["data"]["projectNameList"] = [{"projectId": 1, "projectName": "Secret Feature"}]
    if exchange.call == "query_task_info":
        for item in exchange.envelope["data"]["items"]:
            item |= {"userName": PERSONAL["userName"], "producer": f"{PERSONAL['name']} of Secret Feature"}


def private_texts(farm):
    connection = farm.connection()
    return [
        *PERSONAL.values(),
        connection["login"],
        connection["password"],
        "Secret Feature",
        "b@c.de",
        "139-0000",
    ]


def test_report_has_no_secret_and_no_personal_data(farm, rendering, tmp_path, capsys):
    farm.rewrite = leak
    assert run(farm, [*rendering, "--report", str(tmp_path / "report.json")], ask=lambda _: "yes") == 1
    text = (tmp_path / "report.json").read_text("utf-8")
    output = capsys.readouterr().out
    for private in private_texts(farm):
        assert private.lower() not in text.lower(), private
        assert private.lower() not in output.lower(), private
    assert not re.search(r"\d{7}", text)
    report = json.loads(text)
    assert (report["holds"], report["complete"], report["farm"]) == (
        False,
        True,
        "not a domain of the vendor",
    )
    assert HIDDEN in next(each["seen"] for each in report["assumptions"] if each["key"] == "download")


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("call +86 138-1234-5678 or 13812345678", f"call {HIDDEN} or {HIDDEN}"),
        ("mail ada@example.com.", f"mail {HIDDEN}"),
        ("code 610, versions 20.0.547, 4.2; 12 of 39", "code 610, versions 20.0.547, 4.2; 12 of 39"),
        ("ADA is not Adamant", f"{HIDDEN} is not Adamant"),
        ("2W35000001", f"2W{HIDDEN}"),
        ("用户张三的公司星光动画余额不足", f"用户{HIDDEN}的公司{HIDDEN}余额不足"),
        ("用户ada QQ12345, not 112345", f"用户{HIDDEN} QQ{HIDDEN}, not 112345"),
    ],
)
def test_hide_private_hides_what_is_private(text, hidden):
    assert hide_private(text, {"Ada", "", "is", "张三", "星光动画", "12345"}) == hidden


def test_report_has_no_path_and_no_host_of_a_studio(farm, rendering, tmp_path, capsys):
    (tmp_path / "ada" / "bin").mkdir(parents=True)
    report = tmp_path / "report.json"
    options = ["--report", str(report), "--transfer-command", str(tmp_path / "ada" / "bin" / "rayvision")]
    assert run(farm, [*rendering, *options], ask=lambda _: "yes") == 1
    assert run(farm, [*rendering, *options, "--host", "farm.studio.invalid"], ask=lambda _: "yes") == 1
    texts = report.read_text("utf-8") + capsys.readouterr().out.replace(str(report), "")
    assert [each for each in (str(tmp_path), "ada", "studio", "shot.blend") if each in texts] == []


@pytest.mark.parametrize(
    ("host", "is_live"),
    [
        ("task.renderbus.com", True),
        ("renderbus.com", True),
        ("notrenderbus.com", False),
        ("renderbus.com.studio.net", False),
    ],
)
def test_host_of_the_vendor_is_live(host, is_live):
    assert is_live_host(host) is is_live


def test_command_fails_if_an_assumption_fails(farm, account, capsys, tmp_path):
    farm.rewrite = lambda exchange: exchange.envelope.pop("requestId", None) and None
    assert run(farm, account) == 0, "nothing is assumed of it"
    farm.rewrite = lambda exchange: exchange.envelope.pop("message", None) and None
    assert run(farm, [*account, "--report", str(tmp_path / "report.json")]) == 1
    verdicts = {
        each["key"]: each["verdict"]
        for each in json.loads((tmp_path / "report.json").read_text())["assumptions"]
    }
    assert verdicts["envelope"] == "fails"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_command_that_is_interrupted_deletes_its_number(error, farm, account, monkeypatch):
    def interrupt(session):
        assert session.created
        raise error

    checks = [each if each.key != "labels" else Assumption("labels", "", (), "", interrupt) for each in FREE]
    monkeypatch.setattr(command, "FREE", tuple(checks))
    with contextlib.suppress(SystemExit):
        assert run(farm, account) == 130
    assert farm.request_counts["create_task"] == farm.request_counts["delete_task"] == 1


def test_command_that_is_interrupted_twice_names_its_number(farm, account, monkeypatch, capsys):
    """The second interrupt comes while the farm does not delete the number."""

    def interrupt(_):
        raise KeyboardInterrupt

    checks = [each if each.key != "labels" else Assumption("labels", "", (), "", interrupt) for each in FREE]
    monkeypatch.setattr(command, "FREE", tuple(checks))
    farm.inject(fault="code", code=403, calls=["delete_task"])
    assert main(account, clock=Clock(sleep=interrupt)) == 130
    assert re.search(r"Could not delete \d+: delete it in the web console", capsys.readouterr().out)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_that_ends_the_command_deletes_its_number(number, farm, account, monkeypatch):
    signal.signal(number, signal.SIG_DFL)  # the tests themselves may run under nohup
    checks = [
        each
        if each.key != "labels"
        else Assumption("labels", "", (), "", lambda _: os.kill(os.getpid(), number))
        for each in FREE
    ]
    monkeypatch.setattr(command, "FREE", tuple(checks))
    with pytest.raises(SystemExit) as raised:
        run(farm, account)
    assert raised.value.code == 128 + number
    assert farm.request_counts["create_task"] == farm.request_counts["delete_task"] == 1


def test_command_under_nohup_ignores_the_end_of_its_terminal(farm, account):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    run(farm, account)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            EOFError,
            2,
            "nothing was sent: a question needs a terminal; the key is read from RENDERBUS_ACCESS_KEY",
        ),
        (KeyboardInterrupt, 130, "Interrupted: nothing was sent"),
    ],
)
def test_question_without_an_answer_sends_nothing(error, code, message, farm, rendering, monkeypatch, capsys):
    def ask(_):
        raise error

    assert run(farm, rendering, ask=ask) == code
    monkeypatch.delenv(KEY_VARIABLE)
    assert run(farm, rendering, ask_secretly=ask) == code
    assert capsys.readouterr().err.count(message) == 2
    assert not farm.request_counts


def test_host_that_is_not_the_farm_gets_one_request(farm, account):
    requests = []
    farm.rewrite = lambda exchange: (
        requests.append(exchange.path) or (200, {"Content-Type": "text/html"}, b"<html>proxy</html>")
    )
    assert run(farm, account) == 1
    assert len(set(requests)) == 1
    assert not farm.request_counts["create_task"]


def test_wrong_key_is_sent_once(farm, account, monkeypatch, capsys):
    monkeypatch.setenv(KEY_VARIABLE, "wrong")
    assert run(farm, account) == 1
    assert sum(farm.request_counts.values()) <= 1
    assert (
        f"0 of {len(FREE)} assumptions hold, {len(FREE) - 1} could not be checked" in capsys.readouterr().out
    )


def test_farm_that_cannot_be_reached_is_tried_for_the_first_check_only(account, capsys):
    slept = []
    arguments = ["--host", "127.0.0.1:9", *account[2:]]
    assert main(arguments, clock=Clock(sleep=slept.append)) == 1
    assert len(slept) == 1
    assert "the first request was not accepted" in capsys.readouterr().out.replace("\n", " ")


def test_report_in_a_folder_that_does_not_exist_sends_nothing(farm, account, capsys):
    with pytest.raises(SystemExit, match="2"):
        run(farm, [*account, "--report", "/mnt/nowhere/report.json"])
    assert "--report: must be a file in a folder that exists" in capsys.readouterr().err
    assert not farm.request_counts


def test_report_that_is_a_folder_sends_nothing(farm, account, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        run(farm, [*account, "--report", str(tmp_path)])
    assert "--report: must be a file, got the folder" in capsys.readouterr().err
    assert not farm.request_counts


def test_report_that_cannot_be_written_is_an_error(farm, account, capsys):
    assert run(farm, [*account, "--report", "/proc/report.json"]) == 1
    output = capsys.readouterr()
    assert "--report: cannot be written" in output.err
    assert f"{len(FREE)} of {len(FREE)} assumptions hold" in output.out


def test_number_that_cannot_be_deleted_is_named(farm, account, capsys):
    def rewrite(exchange):
        if exchange.call == "delete_task":
            exchange.envelope = refuse(403)

    farm.rewrite = rewrite
    assert run(farm, account) == 1
    assert re.search(r"Could not delete \d+(, \d+)*: delete it in the web console", capsys.readouterr().out)


def test_command_needs_no_airflow(farm, account):
    """Without a connection, Airflow is not even imported."""
    program = (
        "import sys\n"
        "from airflow_provider_renderbus.live_check.command import main\n"
        "code = main(sys.argv[1:])\n"
        "sys.exit(code or any(name == 'airflow' or name.startswith('airflow.') for name in sys.modules) * 3)"
    )
    arguments = [sys.executable, "-c", program, *account]
    result = subprocess.run(
        arguments, env={**os.environ}, capture_output=True, text=True, check=False, timeout=100
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_page_of_assumptions_is_made_from_the_table():
    assert assumptions.PAGE.read_text("utf-8") == assumptions.render_page(), "run python -m dev.assumptions"


def test_example_report_is_of_the_table_and_holds_nothing_private():
    text = assumptions.REPORT.read_text("utf-8")
    report = json.loads(text)
    table = [(each.key, each.claim, list(each.sources), HOLDS) for each in (*FREE, *PAID)]
    assert [
        (each["key"], each["assumption"], each["sources"], each["verdict"]) for each in report["assumptions"]
    ] == table, "run python -m dev.assumptions --report"
    assert (report["holds"], report["complete"], report["render"]) == (True, True, True)
    text = text.replace(report["date"], "")
    kinds = (r"\w@\w", r"\d{7}", r"\d[\d -]{8,}\d", r"127\.0\.0\.1", r"[A-Za-z0-9+/]{32,}", "/tmp/", "/home/")
    assert [kind for kind in kinds if re.search(kind, text)] == []


def test_readme_status_links_to_the_assumptions():
    status = README.partition("> **Status")[2].partition("\n\n")[0]
    assert "docs/assumptions.md" in status
    assert "renderbus-check" in status
