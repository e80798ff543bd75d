"""What the tests of the transfer command share: its arguments, and the files of a folder."""

from __future__ import annotations

IDS = {"input": "10201", "output": "20201", "config": "30201"}
PORT = 8899


def write(path, text="content"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def flags(kind, local, remote, storage="input", keep="true", **more):
    given = {
        "E": "aspera",
        "H": "127.0.0.1",
        "P": PORT,
        "S": IDS[storage],
        "U": 100001,
        "r": 2,
        "K": keep,
        "s": 1048576,
        "C": "None",
        "T": kind,
        "L": local,
        "R": remote,
    } | more
    return [text for flag, value in given.items() for text in (f"-{flag}", str(value))]


def everything(folder):
    return {path for path in folder.rglob("*") if not path.is_dir()}


def content(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
