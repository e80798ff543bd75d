"""Checks that secrets, given with their names, stay in the files made for them, and signatures in none."""

from __future__ import annotations

import base64
import contextlib
import re
import sqlite3
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

import psutil

from dev.harness.event_log import CheckFailure

_OWNER_ONLY = 0o600
_SQLITE = b"SQLite format 3\0"
# The header in a dump of a request: HMAC-SHA256 in base64.
_SIGNATURE = re.compile(rb"signature\W{1,8}[A-Za-z0-9+/]{43}=", re.IGNORECASE)
# Airflow's warning of texts in a connection that are too short to be masked.
_TOO_SHORT = b"Skipping masking for a secret"


def _encodings(secret: str) -> frozenset[bytes]:
    """Return the forms of a secret in a file: itself, and in URL, hexadecimal and base64 encoding.

    Base64 writes three bytes as four characters, so a secret inside a longer text looks one of three ways.
    The characters at its ends, which depend on its neighbours, are omitted.
    """
    raw = secret.encode()
    texts = {secret, quote(secret, safe=""), quote_plus(secret), raw.hex(), raw.hex().upper()}
    encodings = {text.encode() for text in texts}
    for before in range(3):
        padded = b"\0" * before + raw
        end = len(padded) // 3 * 4
        start = 0 if before == 0 else 4
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encodings.add(encode(padded)[start:end])
    return frozenset(encodings)


def _leaked(secrets: Mapping[str, str], *contents: bytes) -> Iterator[str]:
    """Yield the names of the secrets that one of the contents holds."""
    for secret, name in secrets.items():
        if any(encoding in content for encoding in _encodings(secret) for content in contents):
            yield name


def check_files(folder: Path, secrets: Mapping[str, str], private: Container[Path]) -> Iterator[CheckFailure]:
    """Check that no file holds one of the secrets, the signature of a request, or a warning about masking.

    :param private: files that may hold them, if only their owner may read them.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        if path in private:
            mode = path.stat().st_mode & 0o777
            if mode != _OWNER_ONLY:
                yield CheckFailure(f"mode of {path.name}", f"{_OWNER_ONLY:04o}", f"{mode:04o}", path)
            continue
        content = path.read_bytes()
        dump = _dump(path) if content.startswith(_SQLITE) else b""
        for name in _leaked(secrets, content, dump):
            yield CheckFailure(name, "in no file but the farm's own", "in this file", path)
        if _SIGNATURE.search(content):
            yield CheckFailure("a request's signature", "in no file", "in this file", path)
        if _TOO_SHORT in content:
            yield CheckFailure("a warning that a text is too short to mask", "in no file", "here", path)


def check_processes(
    processes: Iterable[psutil.Process], secrets: Mapping[str, str], folder: Path
) -> Iterator[CheckFailure]:
    """Check that no secret is on a command line or in an environment variable of living processes."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            words = process.cmdline()
            with contextlib.suppress(psutil.AccessDenied):  # Airflow closes its task processes to others
                words += process.environ().values()
            for name in _leaked(secrets, "\0".join(words).encode(errors="surrogateescape")):
                actual = f"at {process.name()}"
                yield CheckFailure(name, "in no command line or environment", actual, folder)


def check_triggers(
    triggers: Iterable[str], secrets: Mapping[str, str], database: Path
) -> Iterator[CheckFailure]:
    """Check that no trigger has a secret among its arguments, and that there were triggers at all."""
    kwargs = "\0".join(triggers).encode()
    if not kwargs:
        yield CheckFailure("triggers", "some that waited", "none", database)
    for name in _leaked(secrets, kwargs):
        yield CheckFailure(name, "in no trigger's arguments", "in those of one", database)


def _dump(path: Path) -> bytes:
    """Return what a SQLite database holds: in its file a long value is scattered over pages."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.text_factory = lambda value: value.decode(errors="replace")
        return "\n".join(database.iterdump()).encode(errors="replace")
