"""Serving one connection at the POP3 door: what a listener is handed."""

from everpost.access.pop3.door import Pop3Door
from everpost.access.pop3.session import Session
from everpost.access.pop3.wire.server import Pop3Machine
from everpost.net.connection import Connection
from everpost.net.drive import drive


async def serve(connection: Connection, door: Pop3Door) -> None:
    """Run a session to its end; cancellation passes through."""
    machine = Pop3Machine(door.config)
    await drive(connection, machine, Session(connection, machine, door))
