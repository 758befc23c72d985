"""Opening a blob store by its URL. The one place that knows the engines."""

from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from everpost.core.errors import Refused
from everpost.store.blobs.ports import BlobStore


def open_blobs(url: str) -> BlobStore:
    """Open `file:///absolute/folder`, `memory:` or an S3 bucket.

    `s3://bucket/prefix?endpoint=https://host:port&region=...&key=...&secret=...`: all parts but the bucket
    may be left out; credentials then come from the environment. Values are percent-encoded as in any URL.
    Raises Refused for anything else, BlobsUnavailable for a folder that cannot be used.
    """
    parts = urlsplit(url)
    match parts.scheme:
        case "file":
            folder = Path(unquote(parts.path))
            if parts.netloc or not folder.is_absolute() or parts.query:
                raise Refused("a folder for blobs is written as file:///absolute/folder")
            from everpost.store.blobs.files import FileBlobs  # noqa: PLC0415 - load one engine only

            return FileBlobs(folder)
        case "s3":
            return _open_s3(parts.netloc, unquote(parts.path).strip("/"), parts.query)
        case "memory":
            from everpost.store.blobs.memory import MemoryBlobs  # noqa: PLC0415

            return MemoryBlobs()
        case _:
            raise Refused(f"a blob store's URL starts with file://, s3:// or memory:, not {parts.scheme or 'nothing'}:")


def _open_s3(bucket: str, prefix: str, query: str) -> BlobStore:
    from everpost.store.blobs.s3 import S3Blobs, S3Place  # noqa: PLC0415

    options = {name: values[-1] for name, values in parse_qs(query).items()}
    unknown = options.keys() - {"endpoint", "region", "key", "secret"}
    if unknown:
        raise Refused(f"an S3 URL knows endpoint, region, key and secret, not {', '.join(sorted(unknown))}")
    if not bucket:
        raise Refused("an S3 URL names a bucket: s3://bucket")
    if ("key" in options) != ("secret" in options):
        raise Refused("an S3 URL has both key and secret, or none of them")
    return S3Blobs(S3Place(bucket, prefix, **options))
