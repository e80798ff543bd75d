import datetime as dt
import json
from pathlib import Path
from types import MappingProxyType

import pytest

from airflow_provider_renderbus.task_json.files import load_json

CONTENT = {"task_info": {"input_cg_file": "/mnt/衣帽间.blend"}}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "task.json"


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("as_given", [Path, str, lambda path: f" {path}\n"])
def test_load_json_path_returns_content(file, as_given, mark):
    file.write_text(mark + json.dumps(CONTENT, ensure_ascii=False), "utf-8")
    assert load_json("task.json", as_given(file)) == CONTENT


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_load_json_text_returns_content(mark):
    assert load_json("task.json", mark + json.dumps(CONTENT)) == CONTENT


@pytest.mark.parametrize("given", [CONTENT, MappingProxyType(CONTENT)])
def test_load_json_mapping_returns_copy(given):
    loaded = load_json("task.json", given)
    loaded["task_info"]["ram"] = "64"
    assert given == {"task_info": {"input_cg_file": "/mnt/衣帽间.blend"}}


def test_load_json_mapping_is_converted_to_json_types():
    assert load_json("tips.json", {35001: ("a", "b")}) == {"35001": ["a", "b"]}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{", "must be JSON; line 1, column 2: "),
        ('{\n "a": 1,\n}', "must be JSON; line "),
        ("", "must be JSON; line 1, column 1: "),
        ('{"a": NaN}', "must be JSON; NaN is not a JSON number"),
        ("[" * 100_000, "must be JSON; "),
        (
            '{"a": {"frames": "1", "b": 2, "frames": "1-99"}}',
            "must be JSON; the key 'frames' must be given once",
        ),
        ({1: "a", "1": "b"}, "must be JSON; the key '1' must be given once"),
        ("[1]", "must be a JSON object, got list"),
        ("null", "must be JSON text or a path ending in .json, got 'null'"),
        ("/mnt/shots/task", "must be JSON text or a path ending in .json, got '/mnt/shots/task'"),
        ("task_info:\n  cg_id: 2007\n", "must be JSON text or a path ending in .json, got 'task_info:"),
        ("x" * 1000, "must be JSON text or a path ending in .json, got 'xxx"),
        (None, "must be a JSON object, got null"),
        (7, "must be a JSON object, got number"),
        (b"{}", "must be a JSON object, got bytes"),
        ({"a": dt.date(2026, 1, 1)}, "must be a mapping of JSON values; "),
        ({"a": float("nan")}, "must be a mapping of JSON values; "),
    ],
)
def test_load_json_invalid_source_is_rejected(given, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is compared below
        load_json("upload.json", given)
    assert str(caught.value).startswith(f"upload.json: {message}")
    assert len(str(caught.value)) < 200


def test_load_json_missing_file_is_rejected(file):
    with pytest.raises(
        ValueError, match=r"^task.json: cannot read .*/task\.json: No such file or directory$"
    ):
        load_json("task.json", file)


def test_load_json_folder_is_rejected(tmp_path):
    with pytest.raises(ValueError, match=r"^task.json: must be a file, not a folder, pipe or device"):
        load_json("task.json", tmp_path)


def test_load_json_other_encoding_is_rejected(file):
    file.write_bytes('{"a": "é"}'.encode("latin-1"))
    with pytest.raises(ValueError, match=r"^task.json: .*/task\.json must be UTF-8, got .* at byte 7$"):
        load_json("task.json", file)
