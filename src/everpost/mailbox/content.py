"""Messages between their bytes and the table `content`: split, compressed where it pays, bulky ones as blobs."""

import asyncio
import threading
from dataclasses import dataclass
from typing import Protocol

import zstandard

from everpost.core.clock import Clock, milliseconds
from everpost.core.errors import Broken
from everpost.message.digest import Digest
from everpost.store.sql.contents import ContentRow

RAW = 0
ZSTD = 1

# Level 1 costs 37 us for a 12 KB message and halves what is written; level 3 costs 53 us for 2 % more.
_LEVEL = 1
# Shorter bodies gain nothing.
_MIN_COMPRESS = 1024
# Of a longer header the rest is stored as if it were body.
MAX_HEADER = 256 * 1024
# Larger bodies are compressed off the event loop.
_THREAD_BYTES = 512 * 1024


class Blobs(Protocol):
    """The part of `store.blobs.ports.BlobStore` that is needed here."""

    async def put(self, key: str, data: bytes) -> None: ...

    async def get(self, key: str) -> bytes: ...

    async def delete(self, key: str) -> None: ...


_tools = threading.local()


def _compress(data: bytes) -> bytes:
    tool = getattr(_tools, "compressor", None)
    if tool is None:
        tool = _tools.compressor = zstandard.ZstdCompressor(level=_LEVEL)
    compressed: bytes = tool.compress(data)
    return compressed


def _decompress(data: bytes, size: int) -> bytes:
    tool = getattr(_tools, "decompressor", None)
    if tool is None:
        tool = _tools.decompressor = zstandard.ZstdDecompressor()
    plain: bytes = tool.decompress(data, max_output_size=size)
    return plain


def _code(body: bytes) -> tuple[int, bytes]:
    """(coding, bytes to store): compressed if that saves at least an eighth."""
    if len(body) < _MIN_COMPRESS:
        return RAW, body
    packed = _compress(body)
    return (ZSTD, packed) if len(packed) < len(body) * 7 // 8 else (RAW, body)


def assemble(size: int, coding: int, header: bytes, stored: bytes) -> bytes:
    """The message from its header and its stored body. Raises Broken."""
    raw = header + (_decompress(stored, size - len(header)) if coding == ZSTD else stored)
    if len(raw) != size:
        raise Broken("a stored message has the wrong length")
    return raw


@dataclass(frozen=True, slots=True)
class Contents:
    """Makes rows of `content` and reads them back."""

    blobs: Blobs
    clock: Clock
    inline_bytes: int = 64 * 1024
    """Stored bodies up to this size lie in the database, larger ones in the blob store."""

    async def pack(self, raw: bytes, digest: Digest, trace_id: str) -> ContentRow:
        """The row for a message. A bulky body is durable in the blob store when this returns.

        The blob's key is the message's own, never shared between messages: every received copy differs by
        its trace fields, so sharing would find nothing, and a blob can be deleted with its row.
        Raises StoreUnavailable.
        """
        start = min(digest.body_start, MAX_HEADER)
        body = raw[start:]
        if len(body) > _THREAD_BYTES:
            coding, stored = await asyncio.to_thread(_code, body)
        else:
            coding, stored = _code(body)
        blob_key = None
        if len(stored) > self.inline_bytes:
            blob_key = trace_id.lower()
            await self.blobs.put(blob_key, stored)
        return ContentRow(
            size=len(raw),
            created_at=milliseconds(self.clock.now()),
            trace_id=trace_id,
            coding=coding,
            blob_key=blob_key,
            envelope=digest.envelope,
            bodystructure=digest.bodystructure,
            structure=digest.structure,
            summary=digest.summary,
            header=raw[:start],
            body=None if blob_key else stored,
            signature=digest.signature,
        )

    async def unpack(self, size: int, coding: int, blob_key: str | None, header: bytes, body: bytes | None) -> bytes:
        """The message again, byte for byte. Raises BlobMissing, StoreUnavailable."""
        stored = await self.blobs.get(blob_key) if blob_key else body or b""
        if coding == ZSTD and size - len(header) > _THREAD_BYTES:
            return await asyncio.to_thread(assemble, size, coding, header, stored)
        return assemble(size, coding, header, stored)

    async def discard(self, keys: list[str]) -> None:
        """Delete blobs whose rows are gone; what fails is found by the collector of orphans."""
        for key in keys:
            await self.blobs.delete(key)
