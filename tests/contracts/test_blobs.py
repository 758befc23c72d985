"""What every blob engine must do, run for each of them; S3 against a real SeaweedFS."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from everpost.core.errors import Broken, Refused
from everpost.store.blobs.files import STALE_SECONDS, FileBlobs
from everpost.store.blobs.memory import MemoryBlobs
from everpost.store.blobs.open import open_blobs
from everpost.store.blobs.ports import BlobMissing, BlobStore
from everpost.store.blobs.s3 import S3Blobs, S3Place
from everpost.store.ports import StoreUnavailable
from tests.servers.ports import free_port
from tests.servers.seaweed import KEY, SECRET, SeaweedServer


@pytest.fixture(scope="module")
def seaweed() -> Iterator[SeaweedServer]:
    server = SeaweedServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["memory", "files", "s3"])
async def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BlobStore]:
    match request.param:
        case "memory":
            store = open_blobs("memory:")
        case "files":
            store = open_blobs(f"file://{tmp_path}/with%20space")
        case _:
            store = open_blobs(request.getfixturevalue("seaweed").create_bucket())
    yield store
    await store.close()


async def listed(blobs: BlobStore, prefix: str = "") -> list[str]:
    return sorted([key async for key in blobs.keys(prefix)])


ANY_BYTES = bytes(range(256)) * 16


@pytest.mark.parametrize("data", [b"", b"x", ANY_BYTES, random.Random(5).randbytes(5_000_000)], ids=len)
async def test_what_was_put_is_got_back(blobs: BlobStore, data: bytes) -> None:
    await blobs.put("01k5c9aaaaaa", data)
    got = await blobs.get("01k5c9aaaaaa")
    assert type(got) is bytes
    assert got == data


async def test_putting_twice_is_no_error_and_changes_nothing(blobs: BlobStore) -> None:
    await asyncio.gather(*(blobs.put("01k5c9aaaaaa", ANY_BYTES) for _ in range(5)))
    await blobs.put("01k5c9aaaaaa", ANY_BYTES)
    assert await blobs.get("01k5c9aaaaaa") == ANY_BYTES
    assert await listed(blobs) == ["01k5c9aaaaaa"]


async def test_many_at_once_do_not_mix(blobs: BlobStore) -> None:
    held = {f"01k5c9{number:06}": random.Random(number).randbytes(number * 997) for number in range(40)}
    await asyncio.gather(*(blobs.put(key, data) for key, data in held.items()))
    got = await asyncio.gather(*(blobs.get(key) for key in held))
    assert dict(zip(held, got, strict=True)) == held


@pytest.mark.parametrize(
    ("start", "end"), [(0, 4), (10, 300), (4000, 4096), (4000, 9000), (4096, 5000), (7, 7), (0, 0)]
)
async def test_a_range_is_what_a_slice_would_be(blobs: BlobStore, start: int, end: int) -> None:
    await blobs.put("01k5c9aaaaaa", ANY_BYTES)
    assert await blobs.range("01k5c9aaaaaa", start, end) == ANY_BYTES[start:end]


async def test_what_is_missing_is_said_to_be_missing(blobs: BlobStore) -> None:
    await blobs.put("01k5c9aaaaaa", b"data")
    with pytest.raises(BlobMissing):
        await blobs.get("01k5c9bbbbbb")
    with pytest.raises(BlobMissing):
        await blobs.range("01k5c9bbbbbb", 0, 1)
    with pytest.raises(BlobMissing):
        await blobs.range("01k5c9bbbbbb", 3, 3)


async def test_deleted_is_gone_and_deleting_again_is_no_error(blobs: BlobStore) -> None:
    await blobs.put("01k5c9aaaaaa", b"data")
    await blobs.put("01k5c9bbbbbb", b"other")
    await blobs.delete("01k5c9aaaaaa")
    await blobs.delete("01k5c9aaaaaa")
    await blobs.delete("01k5zzaaaaaa")
    with pytest.raises(BlobMissing):
        await blobs.get("01k5c9aaaaaa")
    assert await listed(blobs) == ["01k5c9bbbbbb"]
    await blobs.delete("01k5c9bbbbbb")
    await blobs.put("01k5c9bbbbbb", b"again")
    assert await blobs.get("01k5c9bbbbbb") == b"again"


async def test_keys_are_listed_by_prefix(blobs: BlobStore) -> None:
    keys = ["01k5c9aaaaaa", "01k5c9bbbbbb", "01k5d0aaaaaa", "02aaaaaaaaaa", "0-aaaaaaaaaa"]
    for key in keys:
        await blobs.put(key, key.encode())
    assert await listed(blobs) == sorted(keys)
    for prefix in ["0", "01", "01k5", "01k5c", "01k5c9", "01k5c9a", "01k5c9aaaaaa", "03", "01k5c9aaaaaaa", "0-"]:
        assert await listed(blobs, prefix) == sorted(key for key in keys if key.startswith(prefix)), prefix


async def test_more_keys_than_one_page_are_listed(blobs: BlobStore) -> None:
    keys = [f"01k5c9{number:06}" for number in range(1100)]
    for first in range(0, len(keys), 50):
        await asyncio.gather(*(blobs.put(key, b"") for key in keys[first : first + 50]))
    assert await listed(blobs) == keys


@pytest.mark.parametrize(
    "key",
    ["", "short", "../../../etc/passwd", "01k5c9/aaaaaa", "01K5C9AAAAAA", "-1k5c9aaaaaa", "01k5c9aaaaaa\n", "a" * 129],
)
async def test_a_key_that_could_be_a_path_is_not_taken(blobs: BlobStore, key: str) -> None:
    with pytest.raises(Broken):
        await blobs.put(key, b"data")
    with pytest.raises(Broken):
        await blobs.get(key)
    with pytest.raises(Broken):
        await blobs.range(key, 0, 1)
    with pytest.raises(Broken):
        await blobs.delete(key)
    assert await listed(blobs) == []


async def test_files_leave_nothing_behind(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    await blobs.put("01k5c9aaaaaa", b"data")
    await blobs.put("01k5c9bbbbbb", b"data")
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert files == ["01k5/c9/01k5c9aaaaaa", "01k5/c9/01k5c9bbbbbb"]
    assert (tmp_path / "01k5/c9/01k5c9aaaaaa").stat().st_mode & 0o077 == 0
    await blobs.delete("01k5c9aaaaaa")
    await blobs.delete("01k5c9bbbbbb")
    assert not (tmp_path / "01k5/c9").exists()


async def test_two_processes_share_a_folder_while_it_empties_and_fills(tmp_path: Path) -> None:
    """Folders are removed when empty, and put must not fall over that."""
    one, other = FileBlobs(tmp_path), FileBlobs(tmp_path)

    async def churn(blobs: FileBlobs, key: str) -> None:
        for _ in range(100):
            await blobs.put(key, b"data")
            assert await blobs.get(key) == b"data"
            await blobs.delete(key)

    await asyncio.gather(churn(one, "01k5c9aaaaaa"), churn(other, "01k5c9bbbbbb"), churn(other, "01k5c9cccccc"))
    assert await listed(one) == []


async def test_leftovers_of_a_dead_process_are_removed_once_old(tmp_path: Path) -> None:
    incoming = tmp_path / ".incoming"
    incoming.mkdir()
    (incoming / "01k5c9aaaaaa.old").write_bytes(b"half")
    (incoming / "01k5c9aaaaaa.new").write_bytes(b"half")
    long_ago = time.time() - STALE_SECONDS - 60
    os.utime(incoming / "01k5c9aaaaaa.old", (long_ago, long_ago))
    blobs = FileBlobs(tmp_path)
    assert [path.name for path in incoming.iterdir()] == ["01k5c9aaaaaa.new"]
    assert await listed(blobs) == []


async def test_files_that_cannot_be_written_are_unavailable_not_missing(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path / "store")
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    with pytest.raises(StoreUnavailable):
        await blobs.put("01k5c9aaaaaa", b"data")
    (tmp_path / "plain").write_bytes(b"")
    with pytest.raises(StoreUnavailable):
        FileBlobs(tmp_path / "plain" / "store")


async def test_no_space_is_unavailable_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = FileBlobs(tmp_path)

    def full(_descriptor: int, _data: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(StoreUnavailable):
            await blobs.put("01k5c9aaaaaa", b"data")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    await blobs.put("01k5c9aaaaaa", b"data")


async def test_s3_out_of_reach_is_unavailable() -> None:
    place = S3Place("bucket", endpoint=f"http://127.0.0.1:{free_port()}", key="key", secret="secret")
    blobs = S3Blobs(place, patience=0.5)
    with pytest.raises(StoreUnavailable):
        await blobs.put("01k5c9aaaaaa", b"data")
    with pytest.raises(StoreUnavailable):
        await blobs.get("01k5c9aaaaaa")
    with pytest.raises(StoreUnavailable):
        await blobs.range("01k5c9aaaaaa", 0, 5)
    with pytest.raises(StoreUnavailable):
        await listed(blobs)
    assert "secret" not in repr(place).replace("secret=", "")


async def test_s3_refusing_us_is_unavailable_not_missing(seaweed: SeaweedServer) -> None:
    no_bucket = S3Blobs(S3Place("no-such-bucket", endpoint=seaweed.endpoint, key=KEY, secret=SECRET), patience=0.5)
    wrong_secret = S3Blobs(S3Place("everpost-1", endpoint=seaweed.endpoint, key=KEY, secret="wrong"), patience=0.5)
    for blobs in (no_bucket, wrong_secret):
        with pytest.raises(StoreUnavailable):
            await blobs.put("01k5c9aaaaaa", b"data")
        with pytest.raises(StoreUnavailable):
            await blobs.get("01k5c9aaaaaa")


async def test_s3_prefixes_keep_two_clusters_in_one_bucket_apart(seaweed: SeaweedServer) -> None:
    url = seaweed.create_bucket()
    one, other = (open_blobs(url.replace("?", f"/{name}/mail?")) for name in ("one", "other"))
    await one.put("01k5c9aaaaaa", b"one")
    await other.put("01k5c9bbbbbb", b"other")
    assert await listed(one) == ["01k5c9aaaaaa"]
    assert await listed(other, "01k5") == ["01k5c9bbbbbb"]
    with pytest.raises(BlobMissing):
        await one.get("01k5c9bbbbbb")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/var/blobs",
        "ftp://host/folder",
        "file://relative/folder",
        "file:relative",
        "s3://",
        "s3://bucket?key=only",
        "s3://bucket?endpint=http://typo",
    ],
)
def test_a_url_that_cannot_be_meant_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        open_blobs(url)


def test_a_url_opens_its_engine(tmp_path: Path) -> None:
    assert isinstance(open_blobs("memory:"), MemoryBlobs)
    assert isinstance(open_blobs(f"file://{tmp_path}/deep/folder"), FileBlobs)
    assert isinstance(open_blobs("s3://bucket"), S3Blobs)
