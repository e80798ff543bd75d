"""Whether the account's secrets stay in the files that are made for them, and signatures in none."""

from __future__ import annotations

import base64
import contextlib
import re
import sqlite3
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import psutil

from dev.demo.checks import Finding

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping
    from pathlib import Path

_OWNER_ONLY = 0o600
_SQLITE = b"SQLite format 3\0"
# The header as it stands in a dump of a request: HMAC-SHA256 in base64.
_SIGNATURE = re.compile(rb"signature\W{1,8}[A-Za-z0-9+/]{43}=", re.IGNORECASE)


def forms(secret: str) -> frozenset[bytes]:
    """Return a secret as it may stand in a file: itself, and in URL, hexadecimal and base64 notation.

    Base64 writes three bytes as four signs, so a secret inside a longer text looks one of three ways. The
    signs at its ends, which depend on its neighbours, are left out.
    """
    raw = secret.encode()
    texts = {secret, quote(secret, safe=""), quote_plus(secret), raw.hex(), raw.hex().upper()}
    found = {text.encode() for text in texts}
    for before in range(3):
        padded = b"\0" * before + raw
        whole = len(padded) // 3 * 4
        start = 0 if before == 0 else 4
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(padded)[start:whole])
    return frozenset(found)


def check_files(folder: Path, secrets: Mapping[str, str], private: Container[Path]) -> Iterator[Finding]:
    """Check that no file of a folder holds one of the secrets, or the signature of a request.

    :param folder: searched with all its folders.
    :param secrets: what is searched for, and what each is.
    :param private: files that may hold them, if only their owner may read them.
    """
    wanted = {secret: forms(secret) for secret in secrets}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        if path in private:
            mode = path.stat().st_mode & 0o777
            if mode != _OWNER_ONLY:
                yield Finding(f"mode of {path.name}", f"{_OWNER_ONLY:04o}", f"{mode:04o}", path)
            continue
        content = path.read_bytes()
        text = _dump(path) if content.startswith(_SQLITE) else b""
        for secret, notations in wanted.items():
            if any(form in content or form in text for form in notations):
                yield Finding(secrets[secret], "in no file but the farm's own", "in this file", path)
        if _SIGNATURE.search(content):
            yield Finding("a request's signature", "in no file", "in this file", path)


def check_processes(
    processes: Iterable[psutil.Process], secrets: Mapping[str, str], look_at: Path
) -> Iterator[Finding]:
    """Check that no secret is on a command line or in an environment variable of living processes.

    :param processes: the processes; one that has ended meanwhile is passed over.
    :param secrets: what is searched for, and what each is.
    :param look_at: the folder that a finding names.
    """
    wanted = {secret: forms(secret) for secret in secrets}
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            words = process.cmdline()
            with contextlib.suppress(psutil.AccessDenied):  # Airflow closes its task processes to others
                words += process.environ().values()
            said = "\0".join(words).encode(errors="surrogateescape")
            for secret, notations in wanted.items():
                if any(form in said for form in notations):
                    found = f"at {process.name()}"
                    yield Finding(secrets[secret], "in no command line or environment", found, look_at)


def check_triggers(triggers: Iterable[str], secrets: Mapping[str, str], look_at: Path) -> Iterator[Finding]:
    """Check that no trigger was given a secret, and that there were triggers at all.

    :param triggers: the arguments of all triggers that have waited, decrypted.
    :param secrets: what is searched for, and what each is.
    :param look_at: the database.
    """
    said = "\0".join(triggers).encode()
    if not said:
        yield Finding("triggers", "some that waited", "none", look_at)
    for secret, subject in secrets.items():
        if any(form in said for form in forms(secret)):
            yield Finding(subject, "in no trigger's arguments", "in those of one", look_at)


def _dump(path: Path) -> bytes:
    """Return what a SQLite database holds: in its file a long value is scattered over pages."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.text_factory = lambda value: value.decode(errors="replace")
        return "\n".join(database.iterdump()).encode(errors="replace")
