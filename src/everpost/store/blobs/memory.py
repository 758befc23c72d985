"""Blobs in memory, for tests and for trying things out: gone with the process."""

from collections.abc import AsyncIterator

from everpost.store.blobs.ports import BlobMissing, checked


class MemoryBlobs:
    """Implements `ports.BlobStore`."""

    def __init__(self) -> None:
        self._held: dict[str, bytes] = {}

    async def put(self, key: str, data: bytes) -> None:
        self._held[checked(key)] = bytes(data)

    async def get(self, key: str) -> bytes:
        try:
            return self._held[checked(key)]
        except KeyError:
            raise BlobMissing("a message body is missing") from None

    async def range(self, key: str, start: int, end: int) -> bytes:
        return (await self.get(key))[start:end]

    async def delete(self, key: str) -> None:
        self._held.pop(checked(key), None)

    async def keys(self, prefix: str = "") -> AsyncIterator[str]:
        for key in list(self._held):
            if key.startswith(prefix):
                yield key

    async def close(self) -> None:
        self._held.clear()
