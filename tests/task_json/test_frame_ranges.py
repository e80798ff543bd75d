import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        ((1, 5), "1-5[1]", [1, 2, 3, 4, 5]),
        ((1, 10, 4), "1-10[4]", [1, 5, 9]),
        ([-2, 0], "-2-0[1]", [-2, -1, 0]),
        ("3", "3-3[1]", [3]),
        ("1-3", "1-3[1]", [1, 2, 3]),
        ("1-10[2],15", "1-10[2],15-15[1]", [1, 3, 5, 7, 9, 15]),
        (" 5 , 1-3[1] ,2-4[1]", "5-5[1],1-3[1],2-4[1]", [5, 1, 2, 3, 4]),
    ],
)
def test_format_frames_all_forms_return_ranges(frames, text, numbers):
    assert format_frames("frames", frames) == text
    assert list(frame_numbers("frames", text)) == numbers


@pytest.mark.parametrize("frames", [None, True, 1.5, (), (1,), (1, 2, 3, 4), ("1", "2"), {1}, b"1-2"])
def test_format_frames_other_value_is_rejected(frames):
    with pytest.raises(ValueError, match=r"^frames: must be frames such as .*, got "):
        format_frames("frames", frames)


@pytest.mark.parametrize(
    "text", ["", "a", "1-", "1-5[1", "1-5[-1]", "1,,2", "1-99999999999", "\u0661", "1:5"]
)
def test_parse_ranges_other_text_is_rejected(text):
    with pytest.raises(ValueError, match=r"^frames: must be frames such as .*, got "):
        parse_ranges("frames", text)


@pytest.mark.parametrize("frames", ["5-1", "1-5[0]", (5, 1), (1, 5, 0), (1, 5, -1)])
def test_format_frames_backward_range_is_rejected(frames):
    with pytest.raises(ValueError, match=r"^frames: "):
        format_frames("frames", frames)


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
def test_parse_ranges_formatted_ranges_are_equal(given_ranges):
    text = format_frames("frames", ",".join(map(str, given_ranges)))
    assert list(parse_ranges("frames", text)) == given_ranges
    assert frame_numbers("frames", text) == farm.parse_frames(text)


@given(st.text(alphabet="0123456789-[], ", max_size=20))
def test_frame_numbers_agree_with_the_farm_or_are_rejected(text):
    try:
        numbers = frame_numbers("frames", text)
    except ValueError:
        numbers = None
    if numbers is not None and len(numbers) <= farm.MAX_FRAMES:
        assert numbers == farm.parse_frames(text)
