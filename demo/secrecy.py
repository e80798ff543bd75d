"""Whether the access key stays in the files that are made for it, and signatures in none."""

from __future__ import annotations

import base64
import contextlib
import re
import sqlite3
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import psutil

from demo.checks import Finding

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator
    from pathlib import Path

_OWNER_ONLY = 0o600
_SQLITE = b"SQLite format 3\0"
# The header as it stands in a dump of a request: HMAC-SHA256 in base64.
_SIGNATURE = re.compile(rb"signature\W{1,8}[A-Za-z0-9+/]{43}=", re.IGNORECASE)


def forms(key: str) -> frozenset[bytes]:
    """Return the key as it may stand in a file: itself, and in URL, hexadecimal and base64 notation.

    Base64 writes three bytes as four signs, so a key inside a longer text looks one of three ways. The signs
    at its ends, which depend on its neighbours, are left out.
    """
    raw = key.encode()
    texts = {key, quote(key, safe=""), quote_plus(key), raw.hex(), raw.hex().upper()}
    found = {text.encode() for text in texts}
    for before in range(3):
        padded = b"\0" * before + raw
        whole = len(padded) // 3 * 4
        start = 0 if before == 0 else 4
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(padded)[start:whole])
    return frozenset(found)


def check_files(folder: Path, key: str, private: Container[Path]) -> Iterator[Finding]:
    """Check that no file of a folder holds the key, or the signature of a request.

    :param folder: searched with all its folders.
    :param key: what is searched for.
    :param private: files that may hold it, if only their owner may read them.
    """
    wanted = forms(key)
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        if path in private:
            mode = path.stat().st_mode & 0o777
            if mode != _OWNER_ONLY:
                yield Finding(f"mode of {path.name}", f"{_OWNER_ONLY:04o}", f"{mode:04o}", path)
            continue
        if any(form in path.read_bytes() for form in wanted) or _in_database(path, wanted):
            yield Finding("the access key", "in no file but the farm's own", "in this file", path)
        if _SIGNATURE.search(path.read_bytes()):
            yield Finding("a request's signature", "in no file", "in this file", path)


def check_processes(processes: Iterable[psutil.Process], key: str, look_at: Path) -> Iterator[Finding]:
    """Check that the key is on no command line and in no environment variable of living processes."""
    wanted = forms(key)
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            words = process.cmdline()
            with contextlib.suppress(psutil.AccessDenied):  # Airflow closes its task processes to others
                words += process.environ().values()
            if any(form in "\0".join(words).encode(errors="surrogateescape") for form in wanted):
                yield Finding(
                    "the access key", "in no command line or environment", f"at {process.name()}", look_at
                )


def _in_database(path: Path, wanted: Iterable[bytes]) -> bool:
    """Tell whether a SQLite database holds one of the texts: a long value is scattered over its pages."""
    with path.open("rb") as file:
        if file.read(len(_SQLITE)) != _SQLITE:
            return False
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.text_factory = lambda value: value.decode(errors="replace")
        return any(form in line.encode(errors="replace") for line in database.iterdump() for form in wanted)
