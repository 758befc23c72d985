"""DEFLATE with bounded steps."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everpost.net.deflate import STEP_BYTES, BadDeflate, Deflate


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 50))
def test_what_is_packed_comes_out_in_any_pieces(said: list[bytes], size: int) -> None:
    one, other = Deflate(), Deflate()
    packed = b"".join(one.pack(each) for each in said)
    heard = b""
    for place in range(0, len(packed), size):
        other.feed(packed[place : place + size])
        while data := other.unpack():
            heard += data
    assert heard == b"".join(said)


def test_a_bomb_goes_off_slowly() -> None:
    packer = zlib.compressobj(9, wbits=-15)
    bomb = packer.compress(b"a" * 10_000_000) + packer.flush()
    deflate = Deflate()
    deflate.feed(bomb)
    steps = []
    while data := deflate.unpack():
        steps.append(len(data))
    assert sum(steps) == 10_000_000
    assert max(steps) <= STEP_BYTES
    assert deflate.ended


def test_noise_is_refused() -> None:
    deflate = Deflate()
    deflate.feed(b"\xff\xff\xff")
    with pytest.raises(BadDeflate):
        deflate.unpack()
