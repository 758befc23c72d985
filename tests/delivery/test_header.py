from hypothesis import given
from hypothesis import strategies as st

from everpost.delivery import header as fields

HEADER = b"From: a@x.test\r\nBCC: one@x.test,\r\n two@x.test\r\nSubject: bcc: no\r\nbcc : three@x.test\r\n"


def test_the_end_of_the_header() -> None:
    assert fields.header_end(HEADER + b"\r\nbody\r\n\r\nmore") == len(HEADER)
    assert fields.header_end(b"\r\nbody") == 0
    assert fields.header_end(b"From: a@x.test") == 14
    assert fields.header_end(b"") == 0


def test_fields_are_found_in_any_case_and_unfolded() -> None:
    assert fields.values(HEADER, "Bcc") == [b"one@x.test, two@x.test", b"three@x.test"]
    assert fields.has(HEADER, "subject")
    assert not fields.has(HEADER, "Sub")


def test_fields_go_whole() -> None:
    assert fields.without(HEADER, "Bcc") == b"From: a@x.test\r\nSubject: bcc: no\r\n"


@given(
    st.lists(
        st.tuples(st.sampled_from(["Bcc", "To", "bcc", "Bccx"]), st.text("ab:\t ", max_size=8), st.booleans()),
        max_size=8,
    )
)
def test_what_is_not_removed_is_left_as_it_was(lines: list[tuple[str, str, bool]]) -> None:
    rendered = [
        (name, f"{name}: {value}\r\n{' more' + chr(13) + chr(10) if folded else ''}".encode())
        for name, value, folded in lines
    ]
    header = b"".join(field for _, field in rendered)
    assert fields.without(header, "Bcc") == b"".join(field for name, field in rendered if name.lower() != "bcc")
