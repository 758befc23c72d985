"""Any bytes as a message, through all that is made of one: run with atheris, `python fuzz/fuzz_message.py [corpus]`."""

import sys

import atheris

with atheris.instrument_imports(include=["everpost.message"]):
    from everpost.message import dates
    from everpost.message.addresses import parse_list
    from everpost.message.digest import digest
    from everpost.message.fields import Fields, select
    from everpost.message.parse import pack, parse, unpack
    from everpost.message.part import Part
    from everpost.message.text import embedded_headers, first_text
    from everpost.message.words import decode, encode


def check(part: Part, start: int, end: int) -> None:
    assert start <= part.header_start <= part.body_start <= part.body_end <= end
    place = part.body_start
    for child in part.children:
        check(child, place, part.body_end)
        place = child.body_end


def test_one(data: bytes) -> None:
    message = parse(data)
    check(message.root, 0, len(data))
    assert unpack(pack(message.root)) == message.root
    assert digest(data, message).size == len(data)
    first_text(data, message.root).encode()
    for header in embedded_headers(data, message.root):
        assert header in data
    for name, value in Fields.of(data):
        parse_list(value)
        dates.parse(value)
        text = decode(value)
        assert not encode(text).encode("ascii", "strict").count(b"\0")
        assert select(data, frozenset((name.lower(),)))


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one)
    atheris.Fuzz()
