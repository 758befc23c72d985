"""Extensions that read stored mail, on every database engine."""

import pytest

from everpost.store.ports import Database
from tests.access.imap.transcript import FOLDER, run
from tests.access.imap.world import real_world

TRANSCRIPTS = (
    "contexts",
    "messagelimit",
    "metadata",
    "multiappend",
    "multisearch",
    "objects",
    "partial",
    "qresync",
    "quota",
    "sort",
    "uidonly",
)


@pytest.mark.parametrize("name", TRANSCRIPTS)
async def test_on_every_engine(name: str, database: Database) -> None:
    await run((FOLDER / f"{name}.txt").read_text(), lambda **settings: real_world(database, **settings))
