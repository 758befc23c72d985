"""SIZE: the limit announced, the message's size declared."""

from everpost.smtp.extensions.extension import BadParameter, Extension

RFCS = (1870,)


def _size(text: str | None) -> int:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 20:
        raise BadParameter("SIZE needs a number")
    return int(text)


EXTENSION = Extension(announce=lambda facts: f"SIZE {facts.max_size}", mail={"SIZE": ("size", _size)})
