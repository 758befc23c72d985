"""The mechanisms alone: RFC examples, every way to be wrong, any bytes."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everpost.accounts import sasl
from everpost.accounts.passwords import ScramKeys, scram_keys
from everpost.accounts.sasl import Challenge, Context, Done, Failed, NeedKeys, Reason, Verify
from everpost.accounts.sasl.client import BadServer, ScramClient, plain

KEYS = scram_keys("pencil", b"0123456789abcdef", 4096)


def context(plus: bool = False, nonce: str = "server", data: bytes = b"end point") -> Context:
    return Context(lambda kind: data if plus and kind == "tls-server-end-point" else None, plus, lambda: nonce)


def test_plain() -> None:
    assert sasl.start("PLAIN", context()).step(b"\0ann\0pw") == Verify("ann", "pw")
    assert sasl.start("PLAIN", context()).step(b"boss\0ann\0pw") == Verify("ann", "pw", "boss")
    mechanism = sasl.start("PLAIN", context())
    assert mechanism.step(None) == Challenge(b"")
    assert mechanism.step(plain("Jürgen", "pä")) == Verify("Jürgen", "pä")


@pytest.mark.parametrize(
    "message", [b"", b"ann\0pw", b"\0\0pw", b"\0ann\0", b"\0ann\0pw\0", b"\0\xff\0pw", b"\0a\0" + b"x" * 9000]
)
def test_malformed_plain(message: bytes) -> None:
    assert sasl.start("PLAIN", context()).step(message) == Failed(Reason.MALFORMED)


def test_login() -> None:
    mechanism = sasl.start("LOGIN", context())
    assert mechanism.step(None) == Challenge(b"Username:")
    assert mechanism.step(b"ann") == Challenge(b"Password:")
    assert mechanism.step(b"pw") == Verify("ann", "pw")
    mechanism = sasl.start("LOGIN", context())
    assert mechanism.step(b"ann") == Challenge(b"Password:")
    assert mechanism.step(b"") == Failed(Reason.MALFORMED)


def test_no_password_in_a_repr() -> None:
    assert "s3cret" not in repr(Verify("ann", "s3cret"))
    assert "s3cret" not in repr(KEYS) and str(KEYS.stored_key) not in repr(KEYS)


def test_scram_example_of_rfc_7677() -> None:
    """RFC 7677 section 3."""
    keys = scram_keys("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    mechanism = sasl.start("SCRAM-SHA-256", context(nonce="%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"))
    need = mechanism.step(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
    assert isinstance(need, NeedKeys) and need.user == "user"
    assert need.provide(keys) == Challenge(
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    final = mechanism.step(
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    assert final == Challenge(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    assert mechanism.step(b"") == Done("user")


def exchange(client: ScramClient, mechanism: sasl.Mechanism, keys: ScramKeys = KEYS) -> sasl.Step:
    """Both sides up to the end."""
    need = mechanism.step(client.first())
    if not isinstance(need, NeedKeys):
        return need
    answer = mechanism.step(client.final(need.provide(keys).data))
    if isinstance(answer, Challenge):
        client.check(answer.data)
        return mechanism.step(b"")
    return answer


def test_scram_of_both_sides() -> None:
    name = "a=b,c"
    assert exchange(ScramClient(name, "pencil", "n"), sasl.start("SCRAM-SHA-256", context())) == Done(name)
    wrong = exchange(ScramClient("ann", "pencils", "n"), sasl.start("SCRAM-SHA-256", context()))
    assert wrong == Failed(Reason.PROOF)


def test_scram_begins_without_initial_response() -> None:
    mechanism = sasl.start("SCRAM-SHA-256", context())
    assert mechanism.step(None) == Challenge(b"")
    assert exchange(ScramClient("ann", "pencil", "n"), mechanism) == Done("ann")


def test_channel_binding() -> None:
    bound = ("tls-server-end-point", b"end point")
    plus = "SCRAM-SHA-256-PLUS"
    assert exchange(ScramClient("ann", "pencil", "n", binding=bound), sasl.start(plus, context(True))) == Done("ann")
    failed = Failed(Reason.BINDING)
    for client, name, offered in [
        # Somebody in the middle has another certificate.
        (ScramClient("ann", "pencil", "n", binding=(bound[0], b"other")), plus, True),
        (ScramClient("ann", "pencil", "n", binding=("tls-exporter", b"end point")), plus, True),
        (ScramClient("ann", "pencil", "n", binding=bound), "SCRAM-SHA-256", True),
        (ScramClient("ann", "pencil", "n"), plus, True),
        # Somebody took -PLUS out of the offer.
        (ScramClient("ann", "pencil", "n", flag="y"), "SCRAM-SHA-256", True),
    ]:
        assert exchange(client, sasl.start(name, context(offered))) == failed
    assert exchange(ScramClient("ann", "pencil", "n", flag="y"), sasl.start("SCRAM-SHA-256", context())) == Done("ann")


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"n,,n=,r=x",
        b"n,,n=ann,r=",
        b"n,,n=a=n,r=x",
        b"n,,n=a=2Dn,r=x",
        b"n,,m=ext,n=ann,r=x",
        b"x,,n=ann,r=x",
        b"n,n=ann,r=x",
        b"n,,n=\xff,r=x",
        b"n,,n=ann,r=x y",
        b"n,,n=ann,r=" + b"x" * 300,
    ],
)
def test_malformed_first_message(first: bytes) -> None:
    mechanism = sasl.start("SCRAM-SHA-256", context())
    assert mechanism.step(first) == Failed(Reason.MALFORMED)
    # Over is over.
    assert mechanism.step(b"n,,n=ann,r=x") == Failed(Reason.MALFORMED)


@pytest.mark.parametrize(
    "change",
    [
        lambda final: final.replace(b"r=nserver", b"r=nserves"),
        lambda final: final[:-4],
        lambda final: final.rpartition(b",p=")[0],
        lambda final: final.replace(b",p=", b",p=AAAA"),
        lambda _: b"",
    ],
)
def test_malformed_final_message(change: object) -> None:
    client, mechanism = ScramClient("ann", "pencil", "n"), sasl.start("SCRAM-SHA-256", context())
    need = mechanism.step(client.first())
    assert isinstance(need, NeedKeys)
    final = client.final(need.provide(KEYS).data)
    assert mechanism.step(change(final)) == Failed(Reason.MALFORMED)  # type: ignore[operator]


def test_the_client_must_confirm_with_nothing() -> None:
    client, mechanism = ScramClient("ann", "pencil", "n"), sasl.start("SCRAM-SHA-256", context())
    need = mechanism.step(client.first())
    assert isinstance(need, NeedKeys)
    assert isinstance(mechanism.step(client.final(need.provide(KEYS).data)), Challenge)
    assert mechanism.step(b"more") == Failed(Reason.MALFORMED)


def test_the_client_notices_a_server_that_does_not_know_the_password() -> None:
    client = ScramClient("ann", "pencil", "n")
    client.first()
    client.final(b"r=nserver,s=MDEyMzQ1Njc4OWFiY2RlZg==,i=4096")
    with pytest.raises(BadServer):
        client.check(b"v=AAAA")
    for challenge in (b"", b"r=other,s=AAAA,i=4096", b"r=n,s=AAAA,i=4096", b"r=nx,s=AAAA,i=1", b"r=nx,s=AAAA,i=x"):
        with pytest.raises(BadServer):
            client.final(challenge)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(sasl.MECHANISMS)),
    st.lists(st.none() | st.binary(max_size=80) | st.sampled_from([b"n,,n=a,r=b", b"c=biws,r=bserver,p=AAAA"])),
)
def test_any_bytes_authenticate_nobody(name: str, messages: list[bytes | None]) -> None:
    mechanism = sasl.start(name, context(True))
    for message in messages:
        answer = mechanism.step(message)
        assert not isinstance(answer, Done)
        if isinstance(answer, NeedKeys):
            answer.provide(KEYS)
