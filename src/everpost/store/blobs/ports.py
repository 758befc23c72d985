"""What a blob engine must do."""

import re
from collections.abc import AsyncIterator
from typing import Protocol

from everpost.core.errors import Broken
from everpost.store.ports import StoreUnavailable

# A key is a file name and an object name: nothing in it may mean anything to a file system or a URL.
_KEY = re.compile(r"[a-z0-9][a-z0-9-]{7,127}")


class BlobMissing(Broken):
    """No blob has this key, although someone was told so: data is lost or was deleted too early."""


class BlobsUnavailable(StoreUnavailable):
    """The blob store cannot be reached now, is full, or did not confirm."""


def checked(key: str) -> str:
    """The key itself. Raises Broken unless it is 8 to 128 of `a-z 0-9 -`, the first no hyphen."""
    if not _KEY.fullmatch(key):
        raise Broken("malformed blob key")
    return key


class BlobStore(Protocol):
    """Keeps byte strings under keys. Keys grow with time (trace ids in lower case) and are never used again.

    Every method raises BlobsUnavailable when nothing can be done now, Broken for a malformed key.
    """

    async def put(self, key: str, data: bytes) -> None:
        """Keep `data`; it is durable when this returns.

        Idempotent: the same key with the same data may be put again, also at the same time. If this raises
        or is cancelled, the blob may be there or not, but never in part.
        """
        ...

    async def get(self, key: str) -> bytes:
        """All of it. Raises BlobMissing."""
        ...

    async def range(self, key: str, start: int, end: int) -> bytes:
        """What `data[start:end]` would be, for 0 <= start <= end. Raises BlobMissing."""
        ...

    async def delete(self, key: str) -> None:
        """Forget it; nothing happens if it is not there."""
        ...

    def keys(self, prefix: str = "") -> AsyncIterator[str]:
        """All keys that begin with `prefix`, in no order; those put or deleted meanwhile may be among them."""
        ...

    async def close(self) -> None:
        """Finish what is running and let go of threads and connections."""
        ...
