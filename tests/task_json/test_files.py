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
def test_a_file_is_read(file, as_given, mark):
    file.write_text(mark + json.dumps(CONTENT, ensure_ascii=False), "utf-8")
    assert load_json("task.json", as_given(file)) == CONTENT


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_json_text_is_read(mark):
    assert load_json("task.json", mark + json.dumps(CONTENT)) == CONTENT


@pytest.mark.parametrize("given", [CONTENT, MappingProxyType(CONTENT)])
def test_a_mapping_is_copied(given):
    loaded = load_json("task.json", given)
    loaded["task_info"]["ram"] = "64"
    assert given == {"task_info": {"input_cg_file": "/mnt/衣帽间.blend"}}


def test_a_mapping_becomes_json():
    assert load_json("tips.json", {35001: ("a", "b")}) == {"35001": ["a", "b"]}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("{", "JSON text is wanted; line 1, column 2: "),
        ('{\n "a": 1,\n}', "JSON text is wanted; line "),
        ("", "JSON text is wanted; line 1, column 1: "),
        ('{"a": NaN}', "JSON text is wanted; NaN is no number of JSON"),
        ("[" * 100_000, "JSON text is wanted; "),
        ("[1]", "a JSON object is wanted, not a list"),
        ("null", "a JSON object is wanted, not null"),
        (None, "a JSON object is wanted, not null"),
        (7, "a JSON object is wanted, not a number"),
        (b"{}", "a JSON object is wanted, not a bytes"),
        ({"a": dt.date(2026, 1, 1)}, "a mapping of JSON values is wanted; "),
        ({"a": float("nan")}, "a mapping of JSON values is wanted; "),
    ],
)
def test_what_is_no_json_object_is_refused(given, told):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is compared below
        load_json("upload.json", given)
    assert str(caught.value).startswith(f"upload.json: {told}")
    assert len(str(caught.value)) < 200


def test_a_missing_file_is_told(file):
    with pytest.raises(
        ValueError, match=r"^task.json: .*/task\.json cannot be read: No such file or directory$"
    ):
        load_json("task.json", file)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ValueError, match=r"^task.json: .* cannot be read: Is a directory$"):
        load_json("task.json", tmp_path)


def test_a_file_in_another_encoding_is_told(file):
    file.write_bytes('{"a": "é"}'.encode("latin-1"))
    with pytest.raises(ValueError, match=r"^task.json: .*/task\.json is not UTF-8: .* at byte 7$"):
        load_json("task.json", file)
