"""What a listener calls for each connection."""

from everpost.delivery.intake.door import Door
from everpost.delivery.intake.session import Session
from everpost.net.connection import Connection
from everpost.net.drive import drive
from everpost.smtp.wire.server import ServerMachine


async def serve(door: Door, connection: Connection) -> None:
    """Run one SMTP session to its end."""
    machine = ServerMachine(door.config)
    await drive(connection, machine, Session(connection, machine, door))
