"""Blobs as objects of an S3-compatible store, for a cluster."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from obstore.exceptions import BaseError
from obstore.store import S3Store

from everpost.store.blobs.ports import BlobMissing, BlobsUnavailable, checked

if TYPE_CHECKING:
    from obstore.store import S3Config

T = TypeVar("T")

# How long one request may take, and for how long a call is begun anew (seconds). Who can wait longer, such as
# the intake of mail, asks again.
REQUEST_SECONDS = 20.0
PATIENCE_SECONDS = 5.0
MAX_RETRIES = 50
LISTED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class S3Place:
    """Where the objects lie."""

    bucket: str
    prefix: str = ""
    """What object names begin with, without the slash at its end."""
    endpoint: str | None = None
    """URL of the service; None for AWS."""
    region: str = "us-east-1"
    key: str | None = None
    """Access key id; with None the client looks into the environment (AWS_ACCESS_KEY_ID) and its role."""
    secret: str | None = field(default=None, repr=False)


class S3Blobs:
    """Implements `ports.BlobStore` by obstore: requests run on its own threads, with its own connections."""

    def __init__(self, place: S3Place, patience: float = PATIENCE_SECONDS) -> None:
        """Connects to nothing yet; `patience` in seconds."""
        self._limit = patience + REQUEST_SECONDS
        config: S3Config = {"region": place.region, "disable_bulk_delete": True}
        if place.key is not None:
            config |= {"access_key_id": place.key, "secret_access_key": place.secret or ""}
        if place.endpoint is not None:
            config["endpoint"] = place.endpoint
        self._store = S3Store(
            place.bucket,
            prefix=place.prefix or None,
            config=config,
            client_options={
                "allow_http": place.endpoint is not None and place.endpoint.startswith("http://"),
                "connect_timeout": timedelta(seconds=5),
                "timeout": timedelta(seconds=REQUEST_SECONDS),
            },
            retry_config={
                "max_retries": MAX_RETRIES,
                "backoff": {"init_backoff": timedelta(milliseconds=50), "max_backoff": timedelta(seconds=1)},
                "retry_timeout": timedelta(seconds=patience),
            },
        )

    async def put(self, key: str, data: bytes) -> None:
        checked(key)
        # One request, never multipart: an object is there wholly or not at all.
        await self._ask(lambda: self._store.put_async(key, data, use_multipart=False))

    async def get(self, key: str) -> bytes:
        checked(key)

        async def read() -> bytes:
            return bytes(await (await self._store.get_async(key)).bytes_async())

        return await self._ask(read)

    async def range(self, key: str, start: int, end: int) -> bytes:
        checked(key)
        if start < end:
            try:
                return bytes(await self._ask(lambda: self._store.get_range_async(key, start=start, end=end)))
            except BlobsUnavailable:
                # A store answers 416 to a range that begins behind the end; only then is the rest empty.
                if start < await self._size(key):
                    raise
        else:
            await self._size(key)
        return b""

    async def _size(self, key: str) -> int:
        return (await self._ask(lambda: self._store.head_async(key)))["size"]

    async def delete(self, key: str) -> None:
        checked(key)
        try:
            await self._ask(lambda: self._store.delete_async(key))
        except BlobMissing:
            return  # Some stores say so, others do not.

    async def keys(self, prefix: str = "") -> AsyncIterator[str]:
        # The client lists by whole path segments, so the prefix is compared here.
        chunks = self._store.list(chunk_size=LISTED_AT_ONCE)
        while True:
            try:
                chunk = await self._ask(chunks.__anext__)
            except StopAsyncIteration:
                return
            for entry in chunk:
                key = entry["path"]
                if key.startswith(prefix):
                    yield key

    async def close(self) -> None:
        """Nothing to do: connections end with the client."""

    async def _ask(self, request: Callable[[], Awaitable[T]]) -> T:
        """A request, bounded in time. Raises BlobMissing, BlobsUnavailable."""
        try:
            async with asyncio.timeout(self._limit):
                return await request()
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise BlobsUnavailable("the bucket for message bodies is gone") from error
            raise BlobMissing("a message body is missing") from error
        except (BaseError, OSError) as error:
            raise BlobsUnavailable("message bodies cannot be stored or read now") from error
