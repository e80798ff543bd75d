"""Nonsense in an argument of the builder is refused by its name; what is accepted can be signed and sent."""

import datetime as dt
import decimal
import json
import re
from pathlib import PurePosixPath, PureWindowsPath

import pytest

from airflow_provider_renderbus.api import calls
from airflow_provider_renderbus.api.signing import signature
from airflow_provider_renderbus.api.validation import MAX_LINE_CHARS
from airflow_provider_renderbus.task_json import build_task_json
from airflow_provider_renderbus.task_json.arguments import CONVERTERS
from tests.task_json.builds import BUILDS


class UpstreamOutput:
    """Airflow's XComArg: it has ``__iter__``, which says that it cannot be iterated over."""

    def __iter__(self):
        raise TypeError("'XComArg' object is not iterable")


REFUSED = {
    "the output of an upstream task": UpstreamOutput(),
    "bytes": b"x",
    "bytearray": bytearray(b"x"),
    "a list of bytes": [b"x"],
    "a list of null": [None],
    "an empty list": [],
    "a huge number": 10**30,
    "more digits than Python prints": 10**5000,
    "a negative number": -1,
    "a fraction": 0.5,
    "not a number": float("nan"),
    "a decimal": decimal.Decimal(1),
    "a date": dt.date(2026, 1, 1),
    "an object": object(),
    "a lone surrogate": "a\ud800",
    "a list of a lone surrogate": ["a\ud800"],
    "a line break": "1\n2",
    "a list of a line break": ["a\nb"],
    "a null character": "a\x00b",
    "a line separator": "a\u2028b",
    "an empty string": "",
    "spaces": "  ",
    "a long string": "x" * (MAX_LINE_CHARS + 1),
    "digits of another script": "\u0663",
    "a mapping of numbers": {1: 2},
}
# What is right for some of the arguments.
ALLOWED = {
    "a negative number": {"frames"},
    "digits of another script": {
        name for name, convert in CONVERTERS.items() if convert.__name__ in {"text", "path", "text_or_texts"}
    },
}


def software_with(argument):
    """Return the arguments of a build in which an argument is allowed."""
    for software, arguments in BUILDS.items():
        try:
            build_task_json(software=software, **arguments, base=None)
            build_task_json(software=software, **{**arguments, argument: object()})
        except ValueError as error:
            if "must be omitted" not in str(error):
                return {"software": software, **arguments}
    raise AssertionError(argument)


@pytest.mark.parametrize("argument", CONVERTERS)
def test_nonsense_is_rejected_by_name(argument):
    arguments = software_with(argument)
    for kind, value in REFUSED.items():
        if argument in ALLOWED.get(kind, ()):
            continue
        with pytest.raises(ValueError, match=rf"^{argument}: must .*, got ") as caught:
            build_task_json(**{**arguments, argument: value})
        assert len(str(caught.value)) < 1000, kind


@pytest.mark.parametrize("argument", ["layers", "scene_names", "rop_nodes", "sequences", "camera", "images"])
@pytest.mark.parametrize("value", [{"a": 1}, b"ab", 7, {"a": "b"}.items()])
def test_lists_of_texts_are_no_mappings_bytes_or_numbers(argument, value):
    with pytest.raises(ValueError, match=rf"^{argument}: must be a "):
        build_task_json(**{**software_with(argument), argument: value})


@pytest.mark.parametrize("argument", ["base", "overrides", "software"])
@pytest.mark.parametrize(
    "value", [b"{}", 7, [1], 0.5, object(), {"a": "\ud800"}, {"a": float("nan")}, {"a": {1}}]
)
def test_nonsense_as_an_object_is_rejected_by_name(argument, value):
    with pytest.raises(ValueError, match=rf"^({argument}|task\.json): "):
        build_task_json(**{"software": "Blender", **BUILDS["Blender"], argument: value})


ODD = ["衣帽间", "🎬 shot", "a'b\"c", "a&b=c", "{{ params.x }}", "\u0663", "A" * 300, "ß\u00e9", " x "]


@pytest.mark.parametrize("text", ODD)
def test_odd_text_that_is_accepted_can_be_signed_and_sent(text):
    content = build_task_json(
        software="Maya",
        **(BUILDS["Maya"] | {"scene": f"D:/{text}.ma", "plugins": {"mtoa": "5", text: text}}),
        layers=[text],
        camera=text,
        output=text,
        project_name=text,
        overrides={text: text},
    )
    body = dict(calls.upload_task_json(1, json.dumps(content, ensure_ascii=False)).body)
    assert signature("key", "task.renderbus.com", "/api", {}, body)
    assert json.loads(json.dumps(body, ensure_ascii=False).encode()) == body
    assert json.loads(body["content"]) == content


def test_paths_of_windows_are_written_as_the_vendor_writes_them():
    for given in ("D:\\shots\\a.blend", PureWindowsPath("D:/shots/a.blend")):
        content = build_task_json(software="Blender", **(BUILDS["Blender"] | {"scene": given}))
        assert content["task_info"]["input_cg_file"] == "D:/shots/a.blend"
    content = build_task_json(
        software="Houdini", **(BUILDS["Houdini"] | {"scene": PurePosixPath("/mnt/a\\b.hip")})
    )
    assert content["task_info"]["input_cg_file"] == "/mnt/a\\b.hip"


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("101", "101"),
        ("000:1,3-4[1]", "000:1,3-4[1]"),
        ("000:1-9x2", "000:1-9[2]"),
        ("010:1-5,4-6", "010:1-6[1]"),
    ],
)
def test_test_frames_are_written_as_the_farm_reads_them(given, written):
    content = build_task_json(software="Blender", **BUILDS["Blender"], test_frames=given)
    assert content["task_info"]["pre_frames"] == written


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("frames", "{{ params.frames }}"),
        ("width", "{{ params.width }}"),
        ("frames_per_task", "{{ params.n }}"),
        ("test_frames", "{{ params.test }}"),
        ("tiles_type", "{{ params.type }}"),
        ("pause_after_test_frames", "{{ params.pause }}"),
    ],
)
def test_template_where_none_is_rendered_says_what_to_do(argument, value):
    arguments = BUILDS["Blender"] | {"width": 64, "height": 36, argument: value}
    with pytest.raises(
        ValueError, match=rf"^{argument}: must be .*{re.escape(value)}.*call it in a @task, or"
    ):
        build_task_json(software="Blender", **arguments)
