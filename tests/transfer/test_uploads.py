"""Assets are found and validated before anything is uploaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

import pytest

from airflow_provider_renderbus.transfer import uploads
from airflow_provider_renderbus.transfer.errors import InvalidFiles, TransferIncomplete

ROOT = Path(__file__).parents[2]
UNUSUAL_NAMES = [
    "a b.exr",
    'it\'s "quoted".exr',
    "纹理/木头.png",
    "$(touch x);`y`.vdb",
    "[1].exr",
    "100%.abc",
    " .x",
]


def write(path, content="content"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


@pytest.fixture
def shot(tmp_path):
    folder = tmp_path / "shot"
    for name in ("sh010.ma", "textures/a.exr", "textures/b.exr", "cache/deep/er/smoke.vdb", "cache/.hidden"):
        write(folder / name)
    return folder


def names(assets, folder):
    return [os.path.relpath(asset.local, folder) for asset in assets]


ALL = ["cache/.hidden", "cache/deep/er/smoke.vdb", "sh010.ma", "textures/a.exr", "textures/b.exr"]


def test_assets_from_folder_include_subfolders(shot):
    assets = uploads.assets_from_paths([shot])
    assert names(assets, shot) == ALL
    assert all(asset.server == asset.local and asset.size == 7 for asset in assets)


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["sh010.ma"], ["sh010.ma"]),
        (["textures/*.exr"], ["textures/a.exr", "textures/b.exr"]),
        (["**/*.vdb"], ["cache/deep/er/smoke.vdb"]),
        (["t*s", "textures/b.exr", "sh010.ma"], ["textures/a.exr", "textures/b.exr", "sh010.ma"]),
        (["./textures//", "textures/./a.exr"], ["textures/a.exr", "textures/b.exr"]),
    ],
)
def test_assets_from_paths_and_patterns_name_each_file_once(shot, patterns, expected):
    assert names(uploads.assets_from_paths([f"{shot}/{pattern}" for pattern in patterns]), shot) == expected


def test_assets_from_single_path_return_one_file(shot):
    assert names(uploads.assets_from_paths(str(shot / "sh010.ma")), shot) == ["sh010.ma"]


def test_assets_with_unusual_names_are_listed(tmp_path):
    for name in UNUSUAL_NAMES:
        write(tmp_path / "s" / name)
    assets = uploads.assets_from_paths([tmp_path / "s"])
    assert sorted(names(assets, tmp_path / "s")) == sorted(UNUSUAL_NAMES)
    ((path, _),) = [
        (each.read_text("utf-8"), listed) for each, listed in uploads.write_lists(assets, tmp_path)
    ]
    assert sorted(entry["local"] for entry in json.loads(path)["asset"]) == sorted(
        f"{tmp_path}/s/{name}" for name in UNUSUAL_NAMES
    )


NFC, NFD = (unicodedata.normalize(form, "Bühne é") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(("written", "stored"), [(NFC, NFD), (NFD, NFC), (NFC, NFC[:2] + NFD[3:])])
@pytest.mark.parametrize("pattern", ["{}/{}.blend", "{}", "{}/*.blend", "**/{}.blend", "{}/{}.*", "*/{}*"])
def test_assets_are_found_however_their_letters_are_composed(tmp_path, written, stored, pattern):
    file = write(tmp_path / stored / f"{stored}.blend")
    mixed = stored not in {NFC, NFD}
    if mixed and "*" in pattern and "{}." in pattern:
        return  # a pattern is tried as written, composed and decomposed
    path = f"{tmp_path}/{pattern.replace('{}', written)}"
    if mixed and pattern == "*/{}*":
        return
    (asset,) = uploads.assets_from_paths(path)
    assert asset.local == str(file)
    assert unicodedata.normalize("NFC", asset.server) == unicodedata.normalize("NFC", str(file))
    if "*" not in pattern:
        assert asset.server.startswith(f"{tmp_path}/{written}")


def test_assets_both_compositions_on_the_disk_are_two_files(tmp_path):
    for name in (NFC, NFD):
        write(tmp_path / f"{name}.blend", name)
    assets = uploads.assets_from_paths(str(tmp_path))
    assert sorted(asset.local for asset in assets) == sorted(
        str(tmp_path / f"{name}.blend") for name in (NFC, NFD)
    )


@pytest.mark.parametrize("spelling", ["/{}", "//{}", "/{}/", "/./{}", "{}/../{}"])
def test_assets_one_file_is_one_file_however_it_is_written(shot, spelling):
    path = spelling.replace("{}", str(shot))
    given = [str(shot), path]
    if ".." in path:
        with pytest.raises(InvalidFiles, match=r"without '\.\.'"):
            uploads.assets_from_paths(given)
        return
    assert len(uploads.assets_from_paths(given)) == len(uploads.assets_from_paths(str(shot)))


def test_assets_of_upload_json_one_file_is_one_file_however_it_is_written(tmp_path):
    file = write(tmp_path / f"{NFD}.blend")
    composed = str(tmp_path / f"{NFC}.blend")
    entries = [
        {"local": composed, "server": composed},
        {"local": f"/{file}", "server": f"//{file}"},
        {"local": str(file), "server": str(file).lstrip("/")},
    ]
    (asset,) = uploads.assets_from_upload_json({"asset": entries})
    assert (asset.local, asset.server) == (str(file), composed)


def test_assets_from_links_are_followed_and_cycles_visited_once(shot, tmp_path):
    write(tmp_path / "library/wood.exr")
    (shot / "library").symlink_to(tmp_path / "library")
    (shot / "cache/again").symlink_to(shot)
    (shot / "link.ma").symlink_to(shot / "sh010.ma")
    assert names(uploads.assets_from_paths(shot), shot) == sorted([*ALL, "library/wood.exr", "link.ma"])


def rejection(given):
    with pytest.raises(InvalidFiles, match=r"^Nothing was uploaded\. ") as caught:
        uploads.assets_from_upload_json(given) if isinstance(given, dict) else uploads.assets_from_paths(
            given
        )
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_assets_with_problems_are_rejected_with_all_of_them(shot):
    (shot / "textures/broken").symlink_to("/no/such/file")
    os.mkfifo(shot / "cache/pipe")
    write(shot / "a\nb")
    write(shot / "back\\slash")
    message = rejection([shot, f"{shot}/none*", "relative.ma", f"{shot}/../x", f"{shot}/missing.ma"])
    for part in (
        "textures/broken': No such file or directory",
        "cache/pipe': must be a file, not a folder, pipe or device",
        "a\\nb': local path must not have a backslash, line break",
        "back\\\\slash': local path must not have a backslash",
        "none*': no such file or folder, and no match",
        "'relative.ma': must be an absolute path without '..'",
        "../x': must be an absolute path without '..'",
        "missing.ma': no such file or folder",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "must have at least one file"),
        ([""], "must be an absolute path"),
        (["/no\0such"], "no such"),
        ({"asset": []}, "upload.json lists no file"),
        ({"asset": [{"local": "a.ma", "server": "/a.ma"}]}, "must be an absolute path"),
        ({"asset": [{"local": "/etc/passwd", "server": "/../a"}]}, "server path must not have '..'"),
        ({"asset": [{"local": "/etc/passwd", "server": "//"}]}, "server path must not be empty"),
        (
            {"asset": [{"local": "/etc/passwd", "server": "a\\b"}]},
            "server path must not have a backslash",
        ),
        ({"asset": [{"local": "/etc", "server": "a"}]}, "must be a file"),
        (
            {"asset": [{"local": "/etc/passwd", "server": "/a"}, {"local": "/etc/group", "server": "a"}]},
            "'/etc/group': '/etc/passwd' has the same server path 'a'",
        ),
    ],
)
def test_assets_invalid_path_is_rejected(given, message):
    assert message.replace("no such", "") in rejection(given)


def test_assets_from_empty_folder_are_rejected(tmp_path):
    assert "the folders have no files" in rejection([tmp_path])


def test_assets_with_many_problems_are_rejected_with_their_number(tmp_path):
    message = rejection([f"{tmp_path}/{number}" for number in range(500)])
    assert message.endswith("and 480 more")


def test_assets_name_that_is_not_utf_8_is_rejected(tmp_path):
    write(tmp_path / "s" / os.fsdecode(b"\xff.exr"))
    assert "local path must not have a backslash, line break or other control character" in rejection(
        [tmp_path / "s"]
    )


AS_NOBODY = """
import os, sys
from airflow_provider_renderbus.transfer.uploads import assets_from_paths
from airflow_provider_renderbus.transfer.errors import InvalidFiles
os.setgid(65534)
os.setuid(65534)
try:
    assets_from_paths(sys.argv[1:])
except InvalidFiles as error:
    print(error)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become a user without permissions")
def test_assets_unreadable_file_or_folder_is_rejected():
    # pytest's own folders are closed to others.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        write(Path(folder) / "secret.ma").chmod(0o600)
        write(Path(folder) / "closed/a.ma").parent.chmod(0o700)
        output = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, folder],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        ).stdout
    assert "secret.ma': not readable" in output
    assert "closed': Permission denied" in output


def test_assets_from_upload_json_keep_server_paths_and_scene(shot):
    scene, texture = str(shot / "sh010.ma"), str(shot / "textures/a.exr")
    entry = {"local": texture, "server": "D/shots/a.exr"}
    content = {"asset": [entry, entry], "scene": {"local": scene, "server": "/D/shots/sh010.ma"}}
    assets = uploads.assets_from_upload_json(content)
    assert [(each.local, each.server) for each in assets] == [
        (texture, "D/shots/a.exr"),
        (scene, "/D/shots/sh010.ma"),
    ]
    content["scene"] = [content["scene"], {"local": scene, "server": "/elsewhere.ma"}]
    assert len(uploads.assets_from_upload_json(content)) == 3


def test_write_lists_many_files_are_split(shot, tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "FILES_PER_LIST", 2)
    monkeypatch.setattr(uploads, "_FILES_PER_WRITE", 1)
    assets = uploads.assets_from_paths(shot)
    lists = [
        (json.loads(path.read_text("utf-8")), listed)
        for path, listed in uploads.write_lists(assets, tmp_path)
    ]
    assert [len(listed) for _, listed in lists] == [2, 2, 1]
    for content, listed in lists:
        assert content == {"asset": [{"local": each.local, "server": each.server} for each in listed]}


@pytest.mark.parametrize("change", ["content", "time", "gone"])
def test_raise_if_changed_names_the_changed_file(shot, change):
    assets = uploads.assets_from_paths(shot)
    uploads.raise_if_changed(assets)
    scene = shot / "sh010.ma"
    if change == "content":
        scene.write_text("longer content")
    elif change == "time":
        os.utime(scene, (1, 1))
    else:
        scene.unlink()
    with pytest.raises(TransferIncomplete, match=r"changed during the upload: .*/sh010\.ma$"):
        uploads.raise_if_changed(assets)
