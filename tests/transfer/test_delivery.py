"""What a layer lacks, by the names and sizes of its files."""

import pytest

from airflow_provider_renderbus.api.models.frames import read_frame
from airflow_provider_renderbus.transfer.delivery import LayerDelivery, check_layer, match_files

FOLDER = "/35000001_sh010/"


def make_frames(*names, status=4, frame_type=5):
    return [
        read_frame({"id": index, "frameIndex": str(name), "frameStatus": status, "frameType": frame_type})
        for index, name in enumerate(names, 1)
    ]


def make_files(*names, size=10):
    return {FOLDER + name: size for name in names}


def names_of(delivery):
    return [frame.name for frame in delivery.frames]


@pytest.mark.parametrize(
    "name",
    [
        "sh010_{:04}.png",
        "{}.exr",
        "sh010.{:04}.v003.exr",
        "deep/er/sh010_{:05}.exr",
        "sh010_beauty-{:04}.png",
        "2026-11-28_take2_{:03}.tif",
        "纹理_{:04}.png",
    ],
)
def test_check_layer_names_with_one_frame_number_names_missing_frames(name):
    frames = make_frames(*range(1, 13))
    files = make_files(*(name.format(number) for number in range(1, 13)))
    assert check_layer(frames, files) == LayerDelivery()
    for number in (2, 5, 6, 7):
        del files[FOLDER + name.format(number)]
    delivery = check_layer(frames, files)
    assert names_of(delivery) == ["2", "5", "6", "7"]
    assert delivery.problems == ("the farm lists no file of frames 2, 5-7",)


def test_check_layer_one_file_left_needs_the_name_of_the_scene():
    frames, files = make_frames(*range(1, 25)), make_files("sh010_0007.png")
    delivery = check_layer(frames, files)
    assert (delivery.frames, delivery.problems) == ((), ())
    assert "1 files for 24 frames" in delivery.doubts[0]
    delivery = check_layer(frames, files, texts=["sh010"])
    assert len(delivery.frames) == 23
    assert delivery.problems == ("the farm lists no file of frames 1-6, 8-24",)


@pytest.mark.parametrize(
    "names",
    [
        ("sh010_0001.png", "sh010_0002.png", "render.log"),
        ("a.png", "b.png"),
        ("sh_1_2.png", "sh_2_1.png"),
        ("sh_0001.png", "sh_0777.png"),
    ],
    ids=["another file", "no numbers", "two numbers", "number of no frame"],
)
def test_check_layer_other_names_claims_nothing(names):
    delivery = check_layer(make_frames(1, 2, 3, 4, 5), make_files(*names))
    assert (delivery.frames, delivery.problems) == ((), ())
    assert "missing frames cannot be named" in delivery.doubts[0]


def test_check_layer_empty_file_is_named():
    files = make_files("sh_0001.png", "sh_0003.png") | make_files("sh_0002.png", size=0)
    delivery = check_layer(make_frames(1, 2, 3), files)
    assert names_of(delivery) == ["2"]
    assert delivery.problems == ("frames 2: empty (sh_0002.png)",)
    delivery = check_layer(make_frames(1, 2, 3), files | make_files("x.log", size=0))
    assert names_of(delivery) == ["2"]
    assert delivery.problems == ("frames 2: empty (sh_0002.png; x.log)",)
    delivery = check_layer([], make_files("x.log", size=0))
    assert delivery == LayerDelivery((), ("empty (x.log)",))


def test_check_layer_unusable_files_are_named():
    files = make_files(*(f"sh010_{number:04}.png" for number in range(1, 25)))
    absent = dict.fromkeys(list(files)[1:], "not in the folder")
    delivery = check_layer(make_frames(*range(1, 25)), files, unusable=absent)
    assert names_of(delivery) == [str(number) for number in range(2, 25)]
    assert delivery.problems[0].startswith("frames 2-24: not in the folder (sh010_0002.png; ")
    assert check_layer(make_frames(*range(1, 25)), files, "*_0001.png", unusable=absent) == LayerDelivery()


def test_check_layer_unknown_size_is_no_problem():
    assert check_layer(make_frames(1), make_files("sh_0001.png", size=None)) == LayerDelivery()


def test_check_layer_without_files_fails_with_all_done_frames():
    delivery = check_layer(make_frames("1-3[1]", 7), {})
    assert names_of(delivery) == ["1-3[1]", "7"]
    assert delivery.problems == ("the farm lists no file, though frames 1-3, 7 are done",)


@pytest.mark.parametrize("status", [1, 2, 3, 5, 11])
def test_check_layer_frames_that_are_not_done_are_not_missing(status):
    assert check_layer(make_frames(1, 2, status=status), {}) == LayerDelivery()
    frames = make_frames(1, 2) + make_frames(3, 4, status=status)
    assert check_layer(frames, make_files("sh_1.png", "sh_2.png")) == LayerDelivery()
    assert names_of(check_layer(frames, make_files("sh_1.png", "sh_3.png"))) == ["2"]


@pytest.mark.parametrize("frame_type", [1, 2, 3])
def test_check_layer_preparing_frames_have_no_files(frame_type):
    assert check_layer(make_frames(0, frame_type=frame_type), {}) == LayerDelivery()


def test_check_layer_frames_of_several_numbers_and_tiles():
    frames = make_frames("1-3[1]", "4-8[2]")
    files = make_files(*(f"sh_{number:04}.png" for number in (1, 2, 3, 4, 8)))
    assert names_of(check_layer(frames, files)) == ["4-8[2]"]
    tiles = make_frames("1-1", "1-2", "2-1", "2-2") + make_frames("1", "2", frame_type=7)
    assert names_of(check_layer(tiles, make_files("sh_0001.png"))) == ["2-1", "2-2", "2"]
    open_tile = tiles[:-1] + make_frames("2", status=2, frame_type=7)
    assert check_layer(open_tile, make_files("sh_0001.png")) == LayerDelivery()


def test_check_layer_negative_frames():
    files = make_files("sh_-0002.png", "sh_-0001.png", "sh_0001.png")
    delivery = check_layer(make_frames(-2, -1, 0, 1), files)
    assert names_of(delivery) == ["0"]


def test_check_layer_pattern_limits_what_is_asked_for():
    frames = make_frames(*range(1, 5))
    files = make_files("sh_0001.png", "sh_0002.png", "sh_0004.png")
    assert names_of(check_layer(frames, files, "*_000[34].png")) == ["3"]
    assert check_layer(frames, files, "*_000[12].png") == LayerDelivery()
    assert check_layer(frames, files, "*.exr") == LayerDelivery()
    files |= make_files("sh_0002.png", size=0)
    assert check_layer(frames, files, "*_0001.png") == LayerDelivery()


def test_check_layer_frame_without_one_of_its_files_is_doubtful():
    beauty = [f"sh_{number:04}.exr" for number in range(1, 4)]
    normals = [f"sh_N_{number:04}.exr" for number in (1, 3)]
    delivery = check_layer(make_frames(1, 2, 3), make_files(*beauty, *normals))
    assert (delivery.frames, delivery.problems) == ((), ())
    assert delivery.doubts == ("the farm lists no sh_N_0002.exr",)
    delivery = check_layer(make_frames(1, 2, 3), make_files(*beauty[:1], *normals))
    assert names_of(delivery) == ["2"]


def matched(frames, names, **options):
    """The name of the frame of each file."""
    return {path: frame.name for path, frame in match_files(frames, names, **options).items()}


def test_match_files_gives_each_frame_that_is_done_its_file():
    frames = [*make_frames(1, 2, 3), *make_frames(4, status=2)]
    names = [f"a/sh010_{number:04}.png" for number in (1, 2, 3, 4, 9)]
    # The last name carries no frame number of the layer, so nothing is sure.
    assert matched(frames, names) == {}
    assert matched(frames, names[:-1]) == dict(zip(names, "123", strict=False))


@pytest.mark.parametrize(
    ("names", "best"),
    [
        (["sh_{:04}.exr", "sh_{:04}.png"], "sh_{:04}.png"),
        (["normals/sh_{:04}.png", "beauty/sh_{:04}.png"], "beauty/sh_{:04}.png"),
        (["sh_normals_{:04}.exr", "sh_{:04}.exr"], "sh_{:04}.exr"),
        (["N/sh.{:04}.exr", "sh_RGBA.{:04}.exr"], "sh_RGBA.{:04}.exr"),
    ],
)
def test_match_files_prefers_the_beauty_and_what_is_fast_to_read(names, best):
    files = [name.format(number) for name in names for number in (1, 2)]
    assert matched(make_frames(1, 2), files) == {best.format(1): "1", best.format(2): "2"}


@pytest.mark.parametrize(
    ("frames", "names"),
    [
        (["1", "2"], ["sh_preview.png", "sh_last.png"]),  # no numbers
        (["1", "2"], ["sh_1_2.png", "sh_2_1.png"]),  # two numbers each
        (["1", "2"], ["sh_1.png", "sh_01.png"]),  # one number twice
        ([str(number) for number in range(1, 25)], ["sh010.png"]),  # the number of the shot
        (["0-0", "0-1"], ["sh_0.png"]),  # tiles of one frame
    ],
)
def test_match_files_that_are_not_sure_has_none(frames, names):
    assert matched(make_frames(*frames), names) == {}


def test_match_files_of_range_shows_its_first_frame():
    frames = make_frames("1-3[1]", "4-6[1]")
    names = [f"sh_{number:04}.png" for number in range(6, 0, -1)]
    assert matched(frames, names) == {"sh_0001.png": "1-3[1]", "sh_0004.png": "4-6[1]"}


def test_match_files_frame_that_is_rendered_again_has_none():
    frames = [*make_frames(1, 2), *make_frames(1, status=1)]
    assert matched(frames, ["sh_1.png", "sh_2.png"]) == {"sh_2.png": "2"}


def test_match_files_single_frame_has_its_only_file():
    assert matched(make_frames(7), ["sh_0007.png"]) == {"sh_0007.png": "7"}
