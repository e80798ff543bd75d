"""Names of frames, and many frames as a few ranges."""

import pytest

from airflow_provider_renderbus.api.frame_names import describe_frames, numbers_of, tile_of


@pytest.mark.parametrize(
    ("name", "numbers", "tile"),
    [
        ("6", [6], ""),
        ("-6", [-6], ""),
        ("7-9[1]", [7, 8, 9], ""),
        ("-2-4[3]", [-2, 1, 4], ""),
        ("-5--3[0]", [-5, -4, -3], ""),
        ("0-1", [0], "1"),
        ("9-7[1]", [], ""),
        ("1-900000000[1]", [], ""),
        ("main", [], ""),
        ("٣", [], ""),
    ],
)
def test_numbers_of_each_form(name, numbers, tile):
    assert list(numbers_of(name)) == numbers
    assert tile_of(name) == tile


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["3"], "3"),
        (["1", "3", "2", "7"], "1-3, 7"),
        (["1", "3", "5", "9"], "1-5[2], 9"),
        (["1-4[1]", "5-8[1]", "x"], "1-8, x"),
        (["1-1", "2-1", "2-2", "3"], "1-2 (tile 1), 2 (tile 2), 3"),
        (["-3", "-2"], "-3--2"),
        (map(str, range(1, 100_001)), "1-100000"),
    ],
)
def test_describe_frames_as_ranges(names, text):
    assert describe_frames(names) == text


def test_describe_frames_cuts_and_counts_the_rest():
    names = [str(number * number) for number in range(1, 1001)]
    text = describe_frames(names, 40)
    assert text == "1, 4, 9, 16, 25, 36, 49, 64, 81, 100 and 990 more"
    assert describe_frames(["x" * 90], 40) == "x" * 40
