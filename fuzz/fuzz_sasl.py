"""Any messages to the SASL mechanisms, and any texts as user names: `python fuzz/fuzz_sasl.py [corpus]`."""

import sys

import atheris

with atheris.instrument_imports(include=["everpost.accounts.sasl", "everpost.accounts.authenticate"]):
    from everpost.accounts import sasl
    from everpost.accounts.authenticate import login_of
    from everpost.accounts.passwords import ScramKeys
    from everpost.accounts.sasl import Context, Done, NeedKeys, Verify

KEYS = ScramKeys(b"salt" * 4, 4096, b"k" * 32, b"s" * 32)
NAMES = sorted(sasl.MECHANISMS)


def test_one(data: bytes) -> None:
    provider = atheris.FuzzedDataProvider(data)
    offered = provider.ConsumeBool()
    context = Context(lambda kind: b"data" if offered and kind == "tls-unique" else None, offered, lambda: "nonce")
    mechanism = sasl.start(NAMES[provider.ConsumeIntInRange(0, len(NAMES) - 1)], context)
    for _ in range(4):
        message = None if provider.ConsumeBool() else provider.ConsumeBytes(provider.ConsumeIntInRange(0, 300))
        answer = mechanism.step(message)
        assert not isinstance(answer, Done), "nobody has proved anything"
        if isinstance(answer, NeedKeys):
            answer.provide(KEYS)
        if isinstance(answer, NeedKeys | Verify):
            login_of(answer.user)
            login_of(answer.authorization)
    login_of(provider.ConsumeUnicode(600))


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one)
    atheris.Fuzz()
