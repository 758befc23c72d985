"""Fields that mark a message's way: Return-Path on what is delivered here, Delivered-To on what is forwarded."""

RFCS = (5321,)

RETURN_PATH = b"Return-Path:"

FORWARDED = "Delivered-To"
"""Names the address that forwarded a message from here, so that a circle is noticed when it comes back."""


def return_path(reverse_path: str) -> bytes:
    """The Return-Path field, first of all (RFC 5321 section 4.4); `""` is the null reverse-path."""
    return f"Return-Path: <{reverse_path}>\r\n".encode()


def without_return_path(raw: bytes) -> bytes:
    """The message as it may travel on (RFC 5321 section 4.4): only what delivery here put first is removed.

    A Return-Path the sender wrote stands below our Received field and is left alone.
    """
    if not raw.startswith(RETURN_PATH):
        return raw
    return raw[raw.index(b"\r\n") + 2 :]
