"""Blobs as files, for one machine: written aside, fsync'ed, renamed into place.

    DIR/.incoming/            what is being written
    DIR/01k5/c9/01k5c9...     the first six characters name the folder

Keys are trace ids, which begin with the time: a folder holds the blobs of 17 minutes, one above it those of
12 days. So folders stay small, the busy one stays in the cache, and copies of the newest are cheap to take.
"""

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from everpost.core.log import logger
from everpost.store.blobs.ports import BlobMissing, BlobsUnavailable, checked

T = TypeVar("T")

log = logger("store")

# fsync waits for the disk, not for the processor: a few more threads than cores.
THREADS = 8
# Leftovers of a process that died while writing; no write takes this long (seconds).
STALE_SECONDS = 24 * 3600.0
# A folder may be removed as empty by another process between its making and the rename into it.
ATTEMPTS = 5


class FileBlobs:
    """Implements `ports.BlobStore`; several processes of one machine may share the folder."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder if it is not there. Raises BlobsUnavailable."""
        self._folder = folder
        self._incoming = folder / ".incoming"
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="blobs")
        try:
            self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._sweep()
        except OSError as error:
            raise BlobsUnavailable("the folder for message bodies cannot be used") from error

    async def put(self, key: str, data: bytes) -> None:
        await self._run(lambda: self._put(self._path(key), data))

    async def get(self, key: str) -> bytes:
        path = self._path(key)
        return await self._run(path.read_bytes)

    async def range(self, key: str, start: int, end: int) -> bytes:
        path = self._path(key)

        def read() -> bytes:
            with path.open("rb", buffering=0) as file:
                return _read(file.fileno(), start, end)

        return await self._run(read)

    async def delete(self, key: str) -> None:
        await self._run(lambda: self._delete(self._path(key)))

    async def keys(self, prefix: str = "") -> AsyncIterator[str]:
        for outer in await self._run(lambda: _names(self._folder)):
            if _fits(outer, prefix):
                for inner in await self._run(lambda outer=outer: _names(self._folder / outer)):  # type: ignore[misc]
                    if _fits(outer + inner, prefix):
                        folder = self._folder / outer / inner
                        for key in await self._run(lambda folder=folder: _names(folder)):  # type: ignore[misc]
                            if key.startswith(prefix):
                                yield key

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)

    async def _run(self, work: Callable[[], T]) -> T:
        """File work in a thread. Raises BlobMissing for a file that is not there, BlobsUnavailable else."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except FileNotFoundError as error:
            raise BlobMissing("a message body is missing") from error
        except OSError as error:
            raise BlobsUnavailable("message bodies cannot be stored or read now") from error

    def _path(self, key: str) -> Path:
        checked(key)
        return self._folder / key[:4] / key[4:6] / key

    def _put(self, path: Path, data: bytes) -> None:
        aside = self._incoming / f"{path.name}.{secrets.token_hex(8)}"
        try:
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                _write(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            self._place(aside, path)
        except FileNotFoundError as error:
            # Not a missing blob: the folder itself was taken away.
            raise BlobsUnavailable("the folder for message bodies is gone") from error
        finally:
            aside.unlink(missing_ok=True)
        _fsync_folder(path.parent)

    def _place(self, aside: Path, path: Path) -> None:
        for attempt in range(ATTEMPTS):
            try:
                aside.rename(path)
            except FileNotFoundError:
                if attempt == ATTEMPTS - 1:
                    raise
                self._make(path.parent)
            else:
                return

    def _make(self, folder: Path) -> None:
        """Both levels of folders, each durable in the one above."""
        for level in (folder.parent, folder):
            level.mkdir(mode=0o700, exist_ok=True)
            _fsync_folder(level.parent)

    def _delete(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        try:
            path.parent.rmdir()
        except OSError:
            return  # Not empty: the usual case.
        _fsync_folder(path.parent.parent)

    def _sweep(self) -> None:
        for entry in os.scandir(self._incoming):
            try:
                if time.time() - entry.stat().st_mtime > STALE_SECONDS:
                    Path(entry.path).unlink()
                    log.info("blob.leftover_removed", name=entry.name)
            except FileNotFoundError:
                continue  # Another process was faster.


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _read(descriptor: int, start: int, end: int) -> bytes:
    pieces = []
    while start < end:
        piece = os.pread(descriptor, end - start, start)
        if not piece:
            break
        pieces.append(piece)
        start += len(piece)
    return b"".join(pieces)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _names(folder: Path) -> list[str]:
    """What lies in a folder, hidden ones apart; nothing if it is gone."""
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208 - names only
    except FileNotFoundError:
        return []


def _fits(beginning: str, prefix: str) -> bool:
    """True if a key that begins so may begin with the prefix."""
    return beginning.startswith(prefix) or prefix.startswith(beginning)
