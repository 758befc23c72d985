import pytest
from hypothesis import given
from hypothesis import strategies as st

from everpost.delivery.intake import trace
from everpost.message.fields import Fields
from everpost.net.connection import TlsInfo
from tests.delivery.fakes import FakeClock

TLS = TlsInfo("TLSv1.3", "TLS_AES_256_GCM_SHA384")


def hop(helo: str = "client.test", host: str = "192.0.2.1", **more: object) -> trace.Hop:
    values: dict[str, object] = {"tls": None, "extended": True} | more
    return trace.Hop("mx.test", helo, host, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "keyword"),
    [
        ({"extended": False, "utf8": False, "tls": False, "authenticated": False}, "SMTP"),
        ({"extended": True, "utf8": False, "tls": False, "authenticated": False}, "ESMTP"),
        ({"extended": True, "utf8": False, "tls": False, "authenticated": True}, "ESMTPA"),
        ({"extended": True, "utf8": False, "tls": True, "authenticated": False}, "ESMTPS"),
        ({"extended": True, "utf8": False, "tls": True, "authenticated": True}, "ESMTPSA"),
        ({"extended": True, "utf8": True, "tls": False, "authenticated": False}, "UTF8SMTP"),
        ({"extended": True, "utf8": True, "tls": True, "authenticated": True}, "UTF8SMTPSA"),
    ],
)
def test_the_with_keywords_of_rfc_3848_and_6531(facts: dict[str, bool], keyword: str) -> None:
    assert trace.protocol(**facts) == keyword


def test_a_received_field() -> None:
    opening = hop(tls=TLS, authenticated=True).opening(utf8=False)
    field = trace.received(opening, "ABC", "user@x.test", "Mon, 1 Jan 2024 00:00:00 +0000")
    assert field == (
        b"Received: from client.test ([192.0.2.1]) (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n"
        b"\tby mx.test with ESMTPSA\r\n"
        b"\tid ABC\r\n"
        b"\tfor <user@x.test>;\r\n"
        b"\tMon, 1 Jan 2024 00:00:00 +0000\r\n"
    )


def test_nobody_learns_of_several_recipients() -> None:
    assert b"for <" not in trace.received(hop().opening(utf8=False), "ABC", None, "now")


def test_ipv6_addresses_are_literals_of_their_kind() -> None:
    assert "([IPv6:2001:db8::1])" in hop(host="2001:db8::1").opening(utf8=False)


@given(helo=st.text(max_size=400) | st.sampled_from(["a)\r\nBcc: b@x.test\r\nX: (", "x;\r\n\r\nbody", "(" * 300, ""]))
def test_a_hostile_name_changes_nothing_but_itself(helo: str) -> None:
    for utf8 in (False, True):
        field = trace.received(hop(helo).opening(utf8=utf8), "ABC", None, "now") + b"\r\n"
        found = Fields(field).items()
        assert [name for name, _ in found] == [b"Received"]
        value = found[0][1]
        assert value.count(b"(") == value.count(b")") == 1
        assert value.count(b";") == 1
        assert value.count(b"\r\n") == 3
        assert all(len(line) <= 998 for line in field.split(b"\r\n"))
        assert utf8 or field.isascii()


def test_dates_are_rendered_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock(at=0.0)
    rendered: list[float] = []

    def render(second: float) -> str:
        rendered.append(second)
        return str(second)

    monkeypatch.setattr(trace, "render", render)
    dates = trace.Dates(clock)
    assert [dates.now(), dates.now()] == ["0", "0"]
    clock.advance(1.5)
    assert dates.now() == "1"
    assert rendered == [0, 1]
