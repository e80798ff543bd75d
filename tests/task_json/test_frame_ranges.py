import re

import pytest
from hypothesis import given, strategies as st

from airflow_provider_renderbus.farm.pictures import task_json as farm
from airflow_provider_renderbus.task_json.frame_ranges import (
    FrameRange,
    format_frames,
    frame_numbers,
    parse_ranges,
)


@pytest.mark.parametrize(
    ("frames", "text", "numbers"),
    [
        (7, "7-7[1]", [7]),
        (-7, "-7--7[1]", [-7]),
        ("3", "3-3[1]", [3]),
        ("1-3", "1-3[1]", [1, 2, 3]),
        ("1-10[2],15", "1-10[2],15-15[1]", [1, 3, 5, 7, 9, 15]),
        ("1-10x4", "1-10[4]", [1, 5, 9]),
        ("1-10:4", "1-10[4]", [1, 5, 9]),
        ([1, 3, 5], "1-5[2]", [1, 3, 5]),
        ([1, 24], "1-1[1],24-24[1]", [1, 24]),
        ([1, 5, 6, 7], "1-1[1],5-7[1]", [1, 5, 6, 7]),
        ([5, 3, 1], "5-5[1],3-3[1],1-1[1]", [5, 3, 1]),
        ([-2, -1, 0], "-2-0[1]", [-2, -1, 0]),
        (range(1, 25), "1-24[1]", list(range(1, 25))),
        (range(1, 10, 4), "1-9[4]", [1, 5, 9]),
        (range(3, 0, -1), "3-3[1],2-2[1],1-1[1]", [3, 2, 1]),
    ],
)
def test_format_frames_all_forms_return_ranges(frames, text, numbers):
    assert format_frames("frames", frames) == text
    assert list(frame_numbers("frames", text)) == numbers


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        (" 5 , 1-3[1] ,2-4[1]", "5-5[1],1-4[1]"),
        ("1-10,1-10", "1-10[1]"),
        ("1-9[2],1-9[4],2", "1-9[2],2-2[1]"),
        ([1, 2, 2, 3, 1], "1-3[1]"),
    ],
)
def test_format_frames_frame_named_twice_is_rendered_once(frames, text):
    assert format_frames("frames", frames) == text


@pytest.mark.parametrize(
    "frames",
    [
        None,
        True,
        1.5,
        [],
        range(0),
        [True],
        ["1"],
        [1.0],
        [10**10],
        {1},
        {1: 2},
        b"1-2",
        bytearray(b"1"),
        "1-\ud800",
    ],
)
def test_format_frames_other_value_is_rejected(frames):
    with pytest.raises(ValueError, match=r"^frames: must be frames such as .*, got "):
        format_frames("frames", frames)


@pytest.mark.parametrize(
    ("frames", "example"),
    [
        ((1, 24), "'1-24'"),
        ((1, 24, 1), "'1-24'"),
        ((1, 24, 2), "'1-24[2]'"),
        ((), "'1-24'"),
        ((1, "2"), "'1-24'"),
    ],
)
def test_format_frames_tuple_is_rejected_with_what_to_write(frames, example):
    with pytest.raises(ValueError, match=r"a tuple becomes a list of frames") as caught:
        format_frames("frames", frames)
    assert f"write {example} for a range" in str(caught.value)


@pytest.mark.parametrize("frames", ["{{ params.frames }}", "1-{{ params.end }}", "{% if x %}1{% endif %}"])
def test_format_frames_template_is_rejected_with_what_to_do(frames):
    with pytest.raises(ValueError, match=r"a template is not rendered here.* call it in a @task, or put"):
        format_frames("frames", frames)


@pytest.mark.parametrize(
    "text", ["", "a", "1-", "1-5[1", "1-5[-1]", "1,,2", "1-99999999999", "\u0661", "1:5"]
)
def test_parse_ranges_other_text_is_rejected(text):
    with pytest.raises(ValueError, match=r"^frames: must be frames such as .*, got "):
        parse_ranges("frames", text)


@pytest.mark.parametrize(
    ("frames", "meant"),
    [
        ("1 - 10", "1-10"),
        ("\uff11-\uff11\uff10", "1-10"),
        ("1\u201310", "1-10"),
        ("1..10", "1-10"),
        ("1-10 [2]", "1-10[2]"),
        ("1-10;20", "1-10,20"),
        ("1-10 20", "1-10,20"),
    ],
)
def test_format_frames_nearly_right_text_has_a_suggestion(frames, meant):
    with pytest.raises(ValueError, match=f"; did you mean '{re.escape(meant)}'\\?$"):
        format_frames("frames", frames)
    assert format_frames("frames", meant)


@pytest.mark.parametrize("frames", ["1.0", "1-10.5", "all", "1-10[-1]", "", ["1-5"], {1}, 1.0])
def test_format_frames_other_text_has_no_suggestion(frames):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the end is compared below
        format_frames("frames", frames)
    assert "did you mean" not in str(caught.value)


def test_format_frames_backward_range_says_which_end_is_before_which_start():
    with pytest.raises(ValueError, match=r"^frames: .*got '24-1': end 1 is before start 24$"):
        format_frames("frames", "24-1")


@pytest.mark.parametrize("frames", ["1-5[0]", "1-5x0", "5-1[2]"])
def test_format_frames_range_without_frames_is_rejected(frames):
    with pytest.raises(ValueError, match=r"^frames: "):
        format_frames("frames", frames)


@pytest.mark.parametrize("frames", [range(10**7), range(10**30), [*range(1_000_001)], "1-9999999"])
def test_format_frames_too_many_frames_are_rejected(frames):
    with pytest.raises(ValueError, match=r"^frames: must be at most 1000000 frames, got ") as caught:
        format_frames("frames", frames)
    assert len(str(caught.value)) < 200


def test_format_frames_too_many_ranges_are_rejected():
    with pytest.raises(ValueError, match=r"^frames: must be at most 10000 ranges, got 10001$"):
        format_frames("frames", [number**2 for number in range(10_002)])


def test_frame_numbers_too_many_frames_are_rejected_fast():
    with pytest.raises(ValueError, match=r"^frames: must be at most 1000000 frames, got '1-999999999'"):
        frame_numbers("frames", "1-999999999")


starts = st.integers(-100_000, 100_000)
ranges = st.builds(
    lambda start, length, step: FrameRange(start, start + length, step),
    starts,
    st.integers(0, 300),
    st.integers(1, 50),
)


@given(st.lists(ranges, min_size=1, max_size=5))
def test_format_frames_text_has_the_same_frames_once_in_their_order(given_ranges):
    numbers = tuple(dict.fromkeys(number for each in given_ranges for number in each.numbers))
    text = format_frames("frames", ",".join(map(str, given_ranges)))
    assert frame_numbers("frames", text) == farm.parse_frames(text) == numbers
    assert sum(len(each.numbers) for each in parse_ranges("frames", text)) == len(numbers)
    assert format_frames("frames", text) == text


@given(st.lists(starts, min_size=1, max_size=50))
def test_format_frames_list_is_a_list_of_frames(numbers):
    assert frame_numbers("frames", format_frames("frames", numbers)) == tuple(dict.fromkeys(numbers))


@given(st.text(alphabet="0123456789-[], ", max_size=20))
def test_frame_numbers_agree_with_the_farm_or_are_rejected(text):
    try:
        numbers = frame_numbers("frames", text)
    except ValueError:
        numbers = None
    if numbers is not None and len(numbers) <= farm.MAX_FRAMES:
        assert numbers == farm.parse_frames(text)
