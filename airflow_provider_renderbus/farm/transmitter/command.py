"""The command ``renderbus-farm-transmitter``: arguments, prompt and exit code."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from contextlib import nullcontext
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, NoReturn

from airflow_provider_renderbus.farm.storage.confined_folder import ConfinedFolder
from airflow_provider_renderbus.farm.storage.location import find_storage
from airflow_provider_renderbus.farm.transmitter.faults import FAULT_FILE, FAULT_VARIABLE, load_fault
from airflow_provider_renderbus.farm.transmitter.file_list import list_downloads, list_uploads
from airflow_provider_renderbus.farm.transmitter.resume import open_resume_database
from airflow_provider_renderbus.farm.transmitter.transfer import ExitCode, escape_control_characters, transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NAME = "renderbus-farm-transmitter"
STORAGE_VARIABLE = "RENDERBUS_FARM_STORAGE"
"""Environment variable with the path of a storage folder: the farm is not asked for it then."""
TRANSFER_TYPES = ("upload_path", "upload_json", "upload_list", "download_path", "download_list")
STORAGES = ("input", "output", "config")
PROMPT = "The transfer is free of charge on this farm. Continue? (y/n) "
RETRY_SECONDS = 1.0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(ExitCode.FATAL, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the transfer command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr] # TextIO in typeshed
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    options = _parser().parse_args(arguments)
    sys.stdout.write(PROMPT)
    sys.stdout.flush()
    if sys.stdin.readline().strip().lower() != "y":
        return _fatal("the prompt was not answered with y")
    try:
        return _run(options, print)
    except (OSError, ValueError) as error:
        return _fatal(str(error))


def _run(options: argparse.Namespace, emit: Callable[[str], None]) -> int:
    direction = options.T.partition("_")[0]
    items = (
        list_uploads(options.T, options.L, options.R, options.c, keep_paths=options.K)
        if direction == "upload"
        else []
    )
    if options.T == "download_list":
        Path(options.R).stat()
    emit(f"\n{direction} is begin")
    root = _wait_for_storage(options.H, options.P).resolve()
    customer = f"{options.S}-{options.U}"
    folders = [root / kind / customer for kind in STORAGES]
    folder = next((folder for folder in folders if folder.is_dir() and folder.resolve() == folder), None)
    if folder is None:
        sys.stderr.write(f"{NAME}: storage id {options.S} does not belong to user id {options.U}\n")
        return ExitCode.BAD_STORAGE
    fault = load_fault(root)
    with open_resume_database(options.C) or nullcontext() as resume, ConfinedFolder(folder) as storage:
        if direction == "upload":
            return transfer(direction, items, storage, resume, customer, fault, emit)
        items = list(list_downloads(options.T, options.R, options.c, storage, keep_paths=options.K))
        local = Path(options.L).absolute()
        local.mkdir(parents=True, exist_ok=True)
        with ConfinedFolder(local) as target:
            return transfer(direction, items, target, resume, str(local), fault, emit)


def _wait_for_storage(host: str, port: int) -> Path:
    """Return the storage folder of the farm at an address. Retries forever, like the vendor's command."""
    if path := os.environ.get(STORAGE_VARIABLE):
        return Path(path)
    warned = False
    while not (root := find_storage(host, port)):
        if not warned:
            sys.stderr.write(f"{NAME}: no farm runs at {host}:{port}; retrying until one does\n")
            warned = True
        sleep(RETRY_SECONDS)
    return root


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=NAME,
        allow_abbrev=False,
        description="Copy files to and from the storage of an embedded render farm.",
        epilog=f"The storage is that of the farm running at -H and -P, or {STORAGE_VARIABLE}. "
        f"{FAULT_VARIABLE} or the file {FAULT_FILE} in the storage sets a fault.",
    )
    add = parser.add_argument
    add("-E", required=True, choices=["aspera", "raysync"], help="engine")
    add("-H", required=True, help="server")
    add("-P", required=True, type=_parse_int, help="port")
    add("-S", required=True, type=_parse_id, help="storage id")
    add("-U", required=True, type=_parse_id, help="user id")
    add("-T", required=True, choices=TRANSFER_TYPES, help="type of transfer")
    add("-L", required=True, help="local path")
    add(
        "-R", required=True, help="path in the storage; for download_list a local file with one path per line"
    )
    add("-r", type=_parse_int, help="connection retries; no effect here")
    add("-K", type=_parse_bool, default=True, help="keep the folder structure, true or false")
    add("-s", type=_parse_int, help="speed limit in KB/s; no effect here")
    add("-C", default="None", help="ini file of the resume database, or None")
    add("-p", choices=["0", "1", "2"], help="network of engine raysync; no effect here")
    add("-c", type=_parse_entries, default=slice(None), help="entries of a list: '0 100' means 0 to 99")
    return parser


def _parse_id(text: str) -> str:
    if not (text.isascii() and text.isalnum()):
        raise argparse.ArgumentTypeError(f"must be letters and digits, got {text[:80]!r}")
    return text


def _parse_int(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be an integer, got {text[:80]!r}")
    return int(text)


def _parse_bool(text: str) -> bool:
    if text not in {"true", "false"}:
        raise argparse.ArgumentTypeError(f"must be true or false, got {text[:80]!r}")
    return text == "true"


def _parse_entries(text: str) -> slice:
    words = text.split()
    if len(words) != 2 or not all(word.isdecimal() for word in words):  # noqa: PLR2004 - first and end
        raise argparse.ArgumentTypeError(f"must be two integers such as '0 100', got {text[:80]!r}")
    return slice(int(words[0]), int(words[1]))


def _fatal(reason: str) -> int:
    sys.stderr.write(f"{NAME}: {escape_control_characters(reason)}\n")
    return ExitCode.FATAL


if __name__ == "__main__":
    sys.exit(main())
