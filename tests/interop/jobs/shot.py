"""A shot on disk: a scene with its assets, and the files that describe them to the farm."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

ASSETS = ("sh010.blend", "textures/rusty metal (2).exr", "纹理/木头.png", "empty.vdb", "cache/smoke.abc")
SIZES = (70_001, 4_096, 1, 0, 3_000_000)


class Shot:
    """Assets of all sizes, and an upload.json with paths in both formats that are in use.

    :param folder: folder of the shot.
    """

    def __init__(self, folder: Path) -> None:
        rng = random.Random(10)
        self.folder = folder
        self.assets = {folder / "assets" / name: size for name, size in zip(ASSETS, SIZES, strict=True)}
        for path, size in self.assets.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(rng.randbytes(size))
        self.upload_json = folder / "upload.json"
        self.write_upload_json()

    def write_upload_json(self) -> None:
        """Write upload.json. The vendor's documents use a leading slash, the vendor's code does not."""
        servers = (
            str(path).lstrip("/") if index % 2 else str(path) for index, path in enumerate(self.assets)
        )
        pairs = zip(self.assets, servers, strict=True)
        self.describe(
            "upload.json", {"asset": [{"local": str(path), "server": server} for path, server in pairs]}
        )

    def describe(self, name: str, content: Any) -> Path:
        """Write one of the files that describe the shot."""
        path = self.folder / name
        path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        return path

    def stored(self) -> dict[str, bytes]:
        """Return the expected files of the input storage, by path."""
        return {str(path).lstrip("/"): path.read_bytes() for path in self.assets}


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder, by path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
