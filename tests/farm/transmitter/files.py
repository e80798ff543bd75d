"""Arguments of the transfer command and helpers for files, shared by its tests."""

from __future__ import annotations

IDS = {"input": "10201", "output": "20201", "config": "30201"}


def write(path, text="content"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def flags(kind, local, remote, storage="input", keep="true", **overrides):
    values = {
        "E": "aspera",
        "H": "127.0.0.1",
        "P": 1,
        "S": IDS[storage],
        "U": 100001,
        "r": 2,
        "K": keep,
        "s": 1048576,
        "C": "None",
        "T": kind,
        "L": local,
        "R": remote,
    } | overrides
    return [text for flag, value in values.items() for text in (f"-{flag}", str(value))]


def all_files(folder):
    return {path for path in folder.rglob("*") if not path.is_dir()}


def content(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
