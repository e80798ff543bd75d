"""File systems that tests mount below a folder of theirs, and unmount at the end. They need root on Linux."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests import fuse_server


@contextmanager
def mounts(folder):
    """Yield a :class:`Mounts` for a new folder. Skips the test if this process must not mount anything."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a file system needs root on Linux")
    folder.mkdir()
    with ExitStack() as stack:
        yield Mounts(folder, stack)


class Mounts:
    """Mounts file systems, each at a folder of its own, until the stack is closed."""

    def __init__(self, folder, stack):
        self._folder, self._stack, self._count = folder, stack, 0

    def tmpfs(self, size):
        """Mount a file system in memory of some bytes."""
        target = self._target()
        self._mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(target))
        self._unmount_at_the_end(target)
        return target

    def ext4(self, size, inodes):
        """Mount a file system on a loop device, with some bytes and inodes."""
        if shutil.which("mkfs.ext4") is None:
            pytest.skip("mkfs.ext4 is not installed")
        target = self._target()
        image = target.with_suffix(".image")
        with image.open("wb") as file:
            file.truncate(size)
        options = ["-q", "-O", "^has_journal", "-m", "0", "-N", str(inodes)]
        subprocess.run(["mkfs.ext4", *options, str(image)], check=True)
        self._mount("-o", "loop", str(image), str(target))
        self._unmount_at_the_end(target)
        return target

    def fuse(self, backing=None, **rules):
        """Mount the file system of :mod:`tests.fuse_server` with some rules, over a folder."""
        if not Path("/dev/fuse").exists():
            pytest.skip("there is no /dev/fuse")
        target = self._target()
        if backing is None:
            backing = target.with_suffix(".backing")
            backing.mkdir()
        server = self._stack.enter_context(
            subprocess.Popen(
                [sys.executable, fuse_server.__file__, str(target), str(backing), json.dumps(rules)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        self._stack.callback(server.stdin.close)  # unmounts
        if server.stdout.readline() != "mounted\n":
            pytest.skip(f"a FUSE file system cannot be mounted: {server.stderr.read().strip()}")
        return target

    def remount(self, target, options):
        """Change the options of a mounted file system."""
        self._mount("-o", f"remount,{options}", str(target))

    def _target(self):
        self._count += 1
        target = self._folder / f"mount{self._count}"
        target.mkdir()
        return target

    def _mount(self, *arguments):
        done = subprocess.run(["mount", *arguments], check=False, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"a file system cannot be mounted: {done.stderr.strip()}")

    def _unmount_at_the_end(self, target):
        # Lazily, because a failed test may still have files open. A loop device is detached with it.
        self._stack.callback(subprocess.run, ["umount", "-l", str(target)], check=True)
