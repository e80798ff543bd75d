"""The question before a render continues, as Markdown."""

from decimal import Decimal

import pytest

from airflow_provider_renderbus.api.models.frames import Frame
from airflow_provider_renderbus.api.models.tasks import read_task
from airflow_provider_renderbus.renders import approval
from airflow_provider_renderbus.renders.forecast import forecast

DONE, WAITING, FAILED = 4, 8, 5
URL = "https://farm.example/task?id=35"


def frames(*states, cost="0.5"):
    return tuple(
        Frame(100 + number, str(number), state, fee_amount=Decimal(cost) if state == DONE else None)
        for number, state in enumerate(states, 1)
    )


def body(data, listed, **options):
    task = read_task({"taskStatus": 40, "sceneName": "D:\\\\shots\\\\sh010.blend", **data})
    return approval.body(task, listed, forecast(task, listed), URL, **options)


PLAIN = {"id": 35, "totalFrames": 6, "doneFrames": 2, "renderConsume": 1}


def test_body_says_what_was_spent_and_what_approve_spends():
    assert body(PLAIN, {35: frames(DONE, DONE, *[WAITING] * 4)}).splitlines() == [
        "sh010 pauses after 2 of 6 frames: [render 35](<https://farm.example/task?id=35>)",
        "",
        "| Cost so far | 1 |",
        "| --- | --- |",
        "| **Approve spends** | **2 more** (0.212 to 3.79, from 2 frames) |",
        "| Cost in the end | 3 (1.21 to 4.79) |",
    ]


@pytest.mark.parametrize(
    ("max_cost", "row"),
    [("3", "| max\\_cost | 3 |"), ("2.9", "| max\\_cost | 2.9 **is below the forecast** |")],
)
def test_body_compares_max_cost_with_the_forecast(max_cost, row):
    assert row in body(PLAIN, {35: frames(DONE, DONE, *[WAITING] * 4)}, max_cost=Decimal(max_cost))


def test_body_of_a_single_sample_says_frame():
    assert ", from 1 frame) |" in body(PLAIN, {35: frames(DONE, *[WAITING] * 5)})


def test_body_without_samples_says_that_nothing_is_known():
    text = body(PLAIN | {"renderConsume": 0}, {35: frames(FAILED, FAILED, WAITING)})
    assert "| **Approve spends** | **not known**: a layer has no frame that is done and charged |" in text
    assert "**Failed** in sh010: 1\\-2" in text


def test_body_has_the_cost_of_each_layer():
    leaves = [{"id": 35 + n, "taskStatus": 40, "totalFrames": 2, "layerName": f"layer{n}"} for n in range(30)]
    listed = {35: frames(DONE, WAITING), 36: frames(DONE, WAITING, cost=2)}
    text = body({"id": 34, "respRenderingTaskList": leaves}, listed)
    assert "| layer0 | 0.5 | 1 |\n| layer1 | 2 | 4 |\n| layer2 | 0 | not known |" in text
    assert text.endswith("and 10 more layers")


def test_body_shows_pictures_of_finished_frames_in_rows():
    listed = {35: frames(*[DONE] * 4, WAITING, FAILED)}
    text = body(PLAIN, listed, picture_url=lambda leaf, frame: f"pictures/{leaf}/{frame.id}.jpg")
    assert text.endswith(
        "| 1 | 2 | 3 |\n| --- | --- | --- |\n"
        "| ![1](<pictures/35/101.jpg>) | ![2](<pictures/35/102.jpg>) | ![3](<pictures/35/103.jpg>) |\n\n"
        "| 4 |\n| --- |\n| ![4](<pictures/35/104.jpg>) |"
    )
    many = body(PLAIN, {35: frames(*[DONE] * 14)}, picture_url=lambda leaf, frame: "x")
    assert many.count("](<x>)") == approval.MAX_PICTURES
    assert many.endswith("and 2 more frames")


@pytest.mark.parametrize("name", ["a|b", "![x](http://x)", "<img src=x>", "**a**\n# b", "`|`", "a\\|b"])
def test_body_shows_hostile_names_as_they_are(name):
    leaves = [
        {"id": 35, "taskStatus": 40, "totalFrames": 2, "layerName": name},
        {"id": 36, "taskStatus": 40, "totalFrames": 2, "layerName": "ao"},
    ]
    text = body({"id": 34, "respRenderingTaskList": leaves}, {35: frames(DONE, WAITING)})
    (row,) = [line for line in text.splitlines() if line.endswith("| 0.5 | 1 |")]
    cell = row.removeprefix("| ").removesuffix(" | 0.5 | 1 |")
    unescaped = cell.replace("\\\\", "\0")
    assert not any(character in unescaped.replace(f"\\{character}", "") for character in "|[]()<>*#`!")
    assert approval.escape("abc 12") == "abc 12"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("https://site.example/x", r"https+\:\/\/site\.example\/x"),
        ("a_HTTP://site.example", r"a\_HTTP+\:\/\/site\.example"),
        ("(www.site.example)", r"\(www+\.site\.example\)"),
        ("me@site.example", r"me+\@site\.example"),
        ("a@b@site.example", r"a+\@b+\@site\.example"),
        ("www_http_v2", r"www\_http\_v2"),
    ],
)
def test_escape_address_is_no_link(name, shown):
    """Airflow's UI makes a link of an escaped address too, but not if there is a word joiner within it."""
    assert approval.escape(name) == shown.replace("+", "\u2060")


def test_subject_names_the_shot():
    task = read_task({"id": 35, "taskStatus": 40})
    assert approval.subject(task) == "Render the other frames of 35?"
    task = read_task({"id": 35, "taskStatus": 40, "sceneName": "/sh010.ma"})
    assert approval.subject(task) == "Render the other frames of sh010?"
