"""The fuzz targets run, on bytes without a fuzzer."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import fuzz_smtp_client, fuzz_smtp_server
from tests.smtp.test_cuts import SPEECH

ANSWERS = st.lists(
    st.sampled_from(
        [b"250 a\r\n", b"354 go\r\n", b"220 go\r\n", b"550 5.1.1 b\r\n", b"421 x\r\n", b"250-a\r\n", b"rubbish\r\n"]
    ),
    max_size=12,
).map(b"".join)


@settings(max_examples=40)
@given(st.one_of(SPEECH.filter(lambda data: len(data) < 2000), st.binary(max_size=100)))
def test_server(data: bytes) -> None:
    fuzz_smtp_server.check(b"\x05" + data)


@settings(max_examples=40)
@given(st.one_of(ANSWERS, st.binary(max_size=100)))
def test_client(data: bytes) -> None:
    fuzz_smtp_client.check(b"\x05" + data)
