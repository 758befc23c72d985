"""What SEARCH TEXT and BODY cost on 10,000 messages, and what the signatures that make it quick cost.

Run as `python -m bench.search`; `--real` takes the corpus of real mail instead of made-up mail.
"""

import argparse
import asyncio
import contextlib
import random
import statistics
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.mail import Writer, unique
from everpost.core.clock import SystemClock
from everpost.core.ids import AccountId
from everpost.mailbox.account import Mailboxes
from everpost.mailbox.content import Contents
from everpost.mailbox.criteria import Text
from everpost.mailbox.view import View
from everpost.message.parse import parse
from everpost.message.part import Part
from everpost.message.signature import body_text, header_text, sign
from everpost.store.blobs.open import open_blobs
from everpost.store.feed import Feed
from everpost.store.migrations import migrate
from everpost.store.open import open_database
from tests.corpus import corpus, crlf
from tests.servers.postgres import PostgresServer
from tests.servers.processes import cpu_seconds, tree

MESSAGES = 10_000
# Sizes in bytes and how many of a hundred messages have about that size.
_MIX = ((3_000, 50), (6_000, 25), (15_000, 25))
_POOL = 2_000


def made_up(count: int) -> list[bytes]:
    """Messages of 3 to 15 KB from a vocabulary of 3,000 words."""
    writer = Writer(5)
    bodies = [writer.body("reader@example.test", size) for size, share in _MIX for _ in range(_POOL * share // 100)]
    return [unique(bodies[number % len(bodies)], number) for number in range(count)]


def real(count: int) -> list[bytes]:
    """Messages of 2002 and of 2022 to 2024, each a few times if there are not enough."""
    found: list[bytes] = []
    for name in ("spamassassin", "phishing-2022-2024"):
        with tarfile.open(corpus() / "spam" / f"{name}.tar.xz") as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isfile() else None
                if file is not None and member.size < 64 * 1024:
                    found.append(crlf(file.read()))
    random.Random(3).shuffle(found)
    return [b"X-Number: %d\r\n" % number + found[number % len(found)].removeprefix(b"From ") for number in range(count)]


def words(raws: list[bytes]) -> dict[str, str]:
    """Words to look for, by what they are."""
    sample = [parsed(raw) for raw in raws[:1000]]
    counts = Counter(
        word
        for raw, root in sample
        for word in {part.decode() for part in body_text(raw, root).split() if part.isascii() and part.isalpha()}
    )
    ranked = [(word, count) for word, count in counts.most_common() if 6 <= len(word) <= 9]
    return {
        "missing": "nosuchword",
        "rare": ranked[-1][0],
        "in 1 of 10": min(ranked, key=lambda each: abs(each[1] - 100))[0],
        "common": ranked[0][0],
        "three letters": "vim",
        "two letters": "qz",
    }


def parsed(raw: bytes) -> tuple[bytes, Part]:
    """The message with its part tree."""
    return raw, parse(raw).root


def signing(raws: list[bytes]) -> Iterator[tuple[str, float, float]]:
    """Kinds of messages: microseconds of CPU for one signature and its bytes."""
    for name, low, high in (("about 3 KB", 2_500, 3_500), ("about 15 KB", 13_000, 17_000)):
        messages = [parsed(raw) for raw in islice((raw for raw in raws if low < len(raw) < high), 50)]

        def run(messages: list[tuple[bytes, Part]] = messages) -> float:
            began = time.process_time()
            for _ in range(10):
                for raw, root in messages:
                    sign(raw, root)
            return (time.process_time() - began) / 10 / len(messages)

        size = statistics.mean(len(sign(raw, root)) for raw, root in messages)
        yield name, statistics.median(run() for _ in range(9)) * 1e6, size


@contextlib.contextmanager
def place(engine: str) -> Iterator[tuple[str, Callable[[], float]]]:
    """The URL of an empty database, and what tells the CPU-seconds its server has used so far."""
    with contextlib.ExitStack() as stack:
        if engine == "sqlite":
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            yield f"sqlite://{folder}/bench.db", lambda: 0.0
            return
        server = PostgresServer(fsync=True)
        server.start()
        stack.callback(server.stop)
        yield server.create_database(), lambda: cpu_seconds(tree(server.pid))


async def quiet(used: Callable[[], float]) -> None:
    """Wait until the database has put away what was written."""
    for _ in range(60):
        before = used()
        await asyncio.sleep(1)
        if used() - before < 0.02:
            break


async def timed(view: View, criterion: Text, of_server: Callable[[], float]) -> tuple[int, float, float]:
    """How many were found, milliseconds of CPU, the database server's included, and milliseconds."""
    before = of_server()
    cpu, began = time.process_time(), time.perf_counter()
    found = await view.search(criterion)
    taken, cpu = time.perf_counter() - began, time.process_time() - cpu
    return len(found), (cpu + of_server() - before) * 1000, taken * 1000


async def searching(console: Console, engine: str, raws: list[bytes], rounds: int) -> None:
    """Print one table for one engine."""
    with place(engine) as (url, of_server), tempfile.TemporaryDirectory() as blobs_folder:
        database = await open_database(url)
        await migrate(database)
        blobs, clock = open_blobs(f"file://{Path(blobs_folder)}"), SystemClock()

        def mailboxes() -> Mailboxes:
            return Mailboxes(database, Contents(blobs, clock), Feed(), clock, random.Random(1))

        mail = await mailboxes().open(AccountId(1))
        cpu = time.process_time() + of_server()
        for start in range(0, len(raws), 200):
            await asyncio.gather(*(mail.append("INBOX", raw) for raw in raws[start : start + 200]))
        console.print(
            f"{engine}: {(time.process_time() + of_server() - cpu) / len(raws) * 1000:.3f} ms CPU for one append"
        )
        await quiet(of_server)
        decided = [(header_text(*each), body_text(*each)) for each in map(parsed, raws)]
        table = Table(title=f"{engine}: SEARCH on {len(raws)} messages, median of {rounds}")
        for column in ("", "word", "found", "asked", "CPU ms", "ms", "again: CPU ms", "ms"):
            table.add_column(column, justify="right")
        loading: list[tuple[float, float]] = []
        for kind, word in words(raws).items():
            for body_only in (False, True):
                wanted = word.encode()
                expected = sum(wanted in body or (not body_only and wanted in header) for header, body in decided)
                times: list[tuple[float, ...]] = []
                for _ in range(rounds):
                    fresh = mailboxes()
                    view = await (await fresh.open(AccountId(1))).select("INBOX", read_only=True)
                    loading.append(
                        (await timed(view, Text("\u5317\u4eac\u5927\u5b66 is loading", body_only), of_server))[1:]
                    )
                    answers = await fresh.signatures.sift(
                        database,
                        view.index.folder_id,
                        len(raws),
                        [row.content_id for row in view.rows(view.uids)],
                        [(wanted, body_only)],
                        load=False,
                    )
                    pairs = [await timed(view, Text(word, body_only), of_server) for _ in range(2)]
                    assert {found for found, *_ in pairs} == {expected}, (word, pairs, expected)
                    times.append((*pairs[0][1:], *pairs[1][1:]))
                    view.close()
                table.add_row(
                    f"{kind}, {'BODY' if body_only else 'TEXT'}",
                    word,
                    str(expected),
                    str(int((answers[0] > 0).sum())),
                    *(f"{statistics.median(each):.1f}" for each in zip(*times, strict=True)),
                )
        console.print(table)
        cpu, taken = (statistics.median(each) for each in zip(*loading, strict=True))
        console.print(f"the first search in a folder, which loads its signatures: {cpu:.0f} ms CPU, {taken:.0f} ms")
        await database.close()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    console = Console(width=140)
    raws = real(MESSAGES) if options.real else made_up(MESSAGES)
    console.print(f"{len(raws)} messages, {statistics.mean(map(len, raws)) / 1000:.1f} KB on average")
    for name, cost, size in signing(raws):
        console.print(f"signature of a message of {name}: {cost:.0f} us CPU, {size:.0f} bytes")
    for engine in ("sqlite", "postgres"):
        asyncio.run(searching(console, engine, raws, options.rounds))


if __name__ == "__main__":
    main()
