"""A file system that imitates the limits of others: FAT, network shares, object stores. Linux, as root.

``fuse_server.py FOLDER BACKING RULES`` mounts BACKING, an ordinary folder, at FOLDER, and then prints a line.
It speaks the kernel's protocol itself, because the libraries for it need a compiler. It ends, and the mount
with it, when its standard input is closed: also if the tests are killed.

RULES is a JSON object: ``refuse_times`` and ``refuse_modes`` refuse ``utime`` and ``chmod``; ``time_step``
rounds times down to so many seconds; ``refused_characters`` cannot be in a name; ``ignore_case`` finds a name
in any case; ``space`` is [total, free] blocks for ``statvfs``, and ``space_unknown`` an error in its place.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import struct
import sys
import threading
from pathlib import Path

MS_NOSUID, MS_NODEV, MNT_DETACH = 2, 4, 2
IN_HEADER, OUT_HEADER = struct.Struct("<IIQQIIII"), struct.Struct("<IiQ")
ATTRIBUTES, ENTRY, OPENED = (
    struct.Struct("<QQQQQQIIIIIIIIII"),
    struct.Struct("<QQQQII"),
    struct.Struct("<QII"),
)
SET_ATTRIBUTES = struct.Struct("<IIQQQQQQIIII")
SET_MODE, SET_SIZE, SET_TIMES = 1, 8, 16 | 32 | 128 | 256
MAX_WRITE = 128 * 1024
BUFFER_SIZE = MAX_WRITE + 4096
LIBC = ctypes.CDLL(None, use_errno=True)


class FileSystem:
    """The operations, by the numbers of the kernel's protocol. Nodes are paths below the backing folder."""

    def __init__(self, backing, rules):
        self.backing, self.rules = backing, rules
        self.paths, self.nodes = {1: ""}, {"": 1}
        self.operations = {
            1: self.lookup,
            3: lambda node, _: self.attributes_out(self.paths[node]),
            4: self.set_attributes,
            9: self.make_folder,
            10: lambda node, body: Path(self.real(self.child(node, body[:-1]))).unlink(),
            11: lambda node, body: Path(self.real(self.child(node, body[:-1]))).rmdir(),
            12: lambda node, body: self.rename(node, body, 8),
            14: lambda node, body: self.open(self.paths[node], struct.unpack_from("<I", body)[0]),
            15: self.read,
            16: self.write,
            17: self.space,
            18: lambda _, body: os.close(struct.unpack_from("<Q", body)[0]),
            20: lambda *_: b"",  # fsync
            25: lambda *_: b"",  # flush
            26: self.start,
            27: lambda *_: OPENED.pack(0, 0, 0),
            28: self.list_folder,
            29: lambda *_: b"",
            35: self.create,
            38: lambda *_: b"",
            45: lambda node, body: self.rename(node, body, 16),
        }

    def not_implemented(self, *_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    def real(self, path):
        return f"{self.backing}/{path}"

    def names(self, path):
        return os.listdir(self.real(path))  # noqa: PTH208 - names only

    def child(self, node, name):
        name = name.decode()
        folder = self.paths[node]
        if set(self.rules.get("refused_characters", "")) & set(name):
            raise OSError(errno.EINVAL, "Invalid argument")
        if self.rules.get("ignore_case"):
            present = {each.lower(): each for each in self.names(folder)}
            name = present.get(name.lower(), name)
        return f"{folder}/{name}" if folder else name

    def node_of(self, path):
        if path not in self.nodes:
            node = len(self.paths) + 1
            self.nodes[path], self.paths[node] = node, path
        return self.nodes[path]

    def attributes(self, path):
        found = os.lstat(self.real(path))
        step = self.rules.get("time_step", 0)
        seconds, fraction = divmod(found.st_mtime_ns, 10**9)
        if step:
            seconds, fraction = seconds // step * step, 0
        return ATTRIBUTES.pack(
            self.node_of(path),
            found.st_size,
            found.st_blocks,
            *[seconds] * 3,
            *[fraction] * 3,
            found.st_mode,
            found.st_nlink,
            found.st_uid,
            found.st_gid,
            *[0, 4096, 0],
        )

    def attributes_out(self, path):
        return struct.pack("<QII", 0, 0, 0) + self.attributes(path)

    def entry(self, path):
        attributes = self.attributes(path)
        return ENTRY.pack(self.node_of(path), 0, 0, 0, 0, 0) + attributes

    def start(self, _node, body):
        major, _minor, readahead, _flags = struct.unpack_from("<IIII", body)
        return struct.pack("<IIIIHHIIHHI28x", major, 31, readahead, 0, 16, 12, MAX_WRITE, 1, 0, 0, 0)

    def lookup(self, node, body):
        return self.entry(self.child(node, body[:-1]))

    def set_attributes(self, node, body):
        valid, _, _, size, _, _, seconds, _, _, fraction, _, mode = SET_ATTRIBUTES.unpack_from(body)
        path = self.paths[node]
        is_refused = (valid & SET_MODE and self.rules.get("refuse_modes")) or (
            valid & SET_TIMES and self.rules.get("refuse_times")
        )
        if is_refused:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        if valid & SET_MODE:
            Path(self.real(path)).chmod(mode & 0o7777)
        if valid & SET_SIZE:
            os.truncate(self.real(path), size)
        if valid & 32 and not valid & 256:
            os.utime(self.real(path), ns=(seconds * 10**9 + fraction,) * 2)
        return self.attributes_out(path)

    def make_folder(self, node, body):
        path = self.child(node, body[8:-1])
        Path(self.real(path)).mkdir(struct.unpack_from("<I", body)[0] & 0o7777)
        return self.entry(path)

    def rename(self, node, body, names_at):
        old_name, new_name, _ = body[names_at:].split(b"\0")
        old, new = self.child(node, old_name), self.child(struct.unpack_from("<Q", body)[0], new_name)
        Path(self.real(old)).rename(self.real(new))
        self.nodes.pop(new, None)
        for path in [each for each in self.nodes if each == old or each.startswith(f"{old}/")]:
            moved = self.nodes.pop(path)
            self.nodes[new + path[len(old) :]] = moved
            self.paths[moved] = new + path[len(old) :]

    def open(self, path, flags):
        # O_APPEND is left to the kernel, which says where it writes.
        return OPENED.pack(os.open(self.real(path), flags & ~(os.O_APPEND | os.O_NOFOLLOW)), 0, 0)

    def create(self, node, body):
        flags, mode = struct.unpack_from("<II", body)
        path = self.child(node, body[16:-1])
        opened = os.open(self.real(path), (flags | os.O_CREAT) & ~os.O_NOFOLLOW, mode & 0o7777)
        return self.entry(path) + OPENED.pack(opened, 0, 0)

    def read(self, _node, body):
        file, offset, size = struct.unpack_from("<QQI", body)
        return os.pread(file, size, offset)

    def write(self, _node, body):
        file, offset, size = struct.unpack_from("<QQI", body)
        return struct.pack("<II", os.pwrite(file, body[40 : 40 + size], offset), 0)

    def space(self, *_):
        if self.rules.get("space_unknown"):
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        total, free = self.rules.get("space", [1 << 20, 1 << 19])
        return struct.pack("<QQQQQIIII24x", total, free, free, 0, 0, 4096, 255, 4096, 0)

    def list_folder(self, node, body):
        _, offset, size = struct.unpack_from("<QQI", body)
        names = [".", "..", *sorted(self.names(self.paths[node]))]
        out = b""
        for at, name in enumerate(names[offset:], offset + 1):
            encoded = name.encode()
            record = struct.pack("<QQII", at, at, len(encoded), 0) + encoded
            record += b"\0" * (-len(record) % 8)
            if len(out) + len(record) > size:
                break
            out += record
        return out

    def answer(self, message):
        """Return the answer to a message of the kernel, None if there is none."""
        _, operation, unique, node, *_ = IN_HEADER.unpack_from(message)
        if operation in {2, 36, 42}:  # two to drop nodes, and an interrupt
            return None
        error, body = 0, b""
        try:
            answer = self.operations.get(operation, self.not_implemented)
            body = answer(node, message[IN_HEADER.size :]) or b""
        except OSError as failure:
            error = -failure.errno
        return OUT_HEADER.pack(OUT_HEADER.size + len(body), error, unique) + body


def main():
    folder, backing, rules = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    os.umask(0)
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    if LIBC.mount(b"renderbus-test", folder.encode(), b"fuse", MS_NOSUID | MS_NODEV, options.encode()):
        sys.exit(f"cannot mount: {os.strerror(ctypes.get_errno())}")

    def end_with_the_tests():
        sys.stdin.read()
        LIBC.umount2(folder.encode(), MNT_DETACH)
        os._exit(0)

    threading.Thread(target=end_with_the_tests, daemon=True).start()
    sys.stdout.write("mounted\n")
    sys.stdout.flush()
    file_system = FileSystem(str(Path(backing).resolve()), rules)
    while True:
        try:
            message = os.read(device, BUFFER_SIZE)
        except OSError as error:
            if error.errno == errno.ENODEV:  # unmounted
                return
            if error.errno in {errno.EINTR, errno.ENOENT}:
                continue
            raise
        answer = file_system.answer(message)
        if answer is not None:
            try:
                os.write(device, answer)
            except OSError as error:
                if error.errno != errno.ENOENT:  # interrupted meanwhile
                    raise


if __name__ == "__main__":
    main()
