"""An SMTP server that throws all mail away: what the generator alone can do on this machine."""

import asyncio
import sys

import uvloop

_END = b"\r\n.\r\n"


class Sink(asyncio.Protocol):
    """Answers as fast as it can; understands just what the generator sends."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.in_data = False
        self.tail = b""
        transport.write(b"220 sink\r\n")  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        write = self.transport.write  # type: ignore[attr-defined]
        if self.in_data:
            self.tail = (self.tail + data)[-len(_END) :]
            if self.tail == _END:
                self.in_data = False
                write(b"250 2.0.0 thrown away\r\n")
        elif data.endswith(b"DATA\r\n"):
            self.in_data = True
            self.tail = b""
            write(b"250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go on\r\n")
        elif data.startswith(b"QUIT"):
            write(b"221 2.0.0 bye\r\n")
            self.transport.close()
        else:
            write(b"250-sink\r\n250 PIPELINING\r\n")


async def serve(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
