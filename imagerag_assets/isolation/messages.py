"""Messages between two processes: pickled values over a socket, and large arrays in shared memory."""

from __future__ import annotations

import mmap
import os
import pickle  # nosec B403 # see below
import socket
import struct
import tempfile
from typing import Any

_HEAD = struct.Struct("<QQ")  # bytes of the pickle, and of the shared memory that comes with it
_ALIGNED = 64
_AT_ONCE = 2**30


def send(to: socket.socket, value: Any, *, shared: bool = False) -> None:
    """Send a value.

    Args:
        to: A Unix socket.
        value: Anything that can be pickled.
        shared: Give the data of contiguous arrays in shared memory, which the receiver maps without a copy.
    """
    arrays: list[pickle.PickleBuffer] = []
    body = pickle.dumps(value, protocol=5, buffer_callback=arrays.append if shared else None)
    raw = [array.raw() for array in arrays]
    sizes = [len(each) for each in raw]
    body = pickle.dumps((body, sizes))
    total = sum(map(_padded, sizes))
    head = _HEAD.pack(len(body), total)
    if total == 0:
        to.sendall(head + body)
        return
    memory = _memory()
    try:
        os.ftruncate(memory, total)
        start = 0
        for each in raw:
            _write(memory, each, start)
            start += _padded(len(each))
        socket.send_fds(to, [head], [memory])
    finally:
        os.close(memory)
    to.sendall(body)


def receive(of: socket.socket) -> Any:
    """Wait for a value.  Arrays in shared memory can be written to, and are nobody else's.

    Raises:
        EOFError: the other side is gone.
        TimeoutError: by the socket's timeout, which holds for each piece.
    """
    head, memories, _, _ = socket.recv_fds(of, _HEAD.size, 1)
    try:
        head += _exactly(of, _HEAD.size - len(head))
        length, total = _HEAD.unpack(head)
        body, sizes = pickle.loads(_exactly(of, length))  # nosec B301 # of a process of ours, which is no sandbox
        if not total:
            return pickle.loads(body, buffers=[bytearray() for _ in sizes])  # nosec B301 # of a process of ours, which is no sandbox
        # Present at once: touching each page for the first time takes longer than copying it.
        present = getattr(mmap, "MAP_POPULATE", 0)
        view = memoryview(mmap.mmap(memories[0], total, flags=mmap.MAP_SHARED | present))
    finally:
        for memory in memories:
            os.close(memory)
    parts, start = [], 0
    for size in sizes:
        parts.append(view[start : start + size])
        start += _padded(size)
    return pickle.loads(body, buffers=parts)  # nosec B301 # of a process of ours, which is no sandbox


def _exactly(of: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = of.recv(min(count - len(data), 2**20))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


def _memory() -> int:
    """Return a descriptor of memory that has no name, or where there is no such thing, of a file that has none."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("imagerag", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _write(memory: int, data: memoryview, start: int) -> None:
    done = 0
    while done < len(data):
        done += os.pwrite(memory, data[done : done + _AT_ONCE], start + done)


def _padded(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED
