"""Any bytes as the header of a load balancer, in any cut: run with atheris, `python fuzz/fuzz_net.py [corpus]`."""

import ipaddress
import sys

import atheris

with atheris.instrument_imports(include=["everpost.net.proxy"]):
    from everpost.core.errors import ProtocolError
    from everpost.net.proxy import MAX_V2, Proxied, parse

STARTS = (b"", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2", b"PROXY TCP6 ", b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c")


def read(data: bytes) -> Proxied | str | None:
    try:
        return parse(data)
    except ProtocolError:
        return "refused"


def test_one(data: bytes) -> None:
    provider = atheris.FuzzedDataProvider(data)
    data = STARTS[provider.ConsumeIntInRange(0, len(STARTS) - 1)] + provider.ConsumeBytes(2000)
    whole = read(data)
    if whole is None:
        assert len(data) < MAX_V2, "a peer can make us wait for ever"
        return
    if isinstance(whole, Proxied):
        assert 0 < whole.length <= len(data)
        for end in (whole.source, whole.target):
            if end is not None:
                ipaddress.ip_address(end[0])
                assert 0 <= end[1] <= 65535
        # What follows the header has no part in it, and without its last byte it is not whole.
        assert read(data[: whole.length]) == whole
        assert read(data[: whole.length - 1]) is None


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one)
    atheris.Fuzz()
