"""Bytes of a named charset as text. Only charsets of a fixed table are looked up: names come from strangers, and
Python imports a module for each new name, remembers it for ever, and counts codecs of quadratic cost among them.
"""

import re
from encodings.aliases import aliases

# Codecs of Python that are not charsets of mail, or cost quadratic time (punycode, idna).
_NOT_CHARSETS = frozenset(
    ("base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec")
)
_NOT_CHARSETS |= {"mbcs", "oem", "idna", "punycode", "palmos", "raw_unicode_escape", "undefined", "unicode_escape"}

_PYTHON = {alias: codec for alias, codec in aliases.items() if codec not in _NOT_CHARSETS}
_PYTHON |= {codec: codec for codec in list(_PYTHON.values())}

# What is labelled so is often the larger charset: https://encoding.spec.whatwg.org/#names-and-labels
_LARGER = {"latin_1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932"}
_LARGER |= {"iso8859_9": "cp1254", "tis_620": "cp874", "euc_kr": "cp949"}

_MORE = {"x_sjis": "cp932", "windows_874": "cp874", "iso_8859_8_i": "iso8859_8", "iso_8859_8_e": "iso8859_8"}
_MORE |= {"x_gbk": "gb18030", "x_euc_jp": "euc_jp", "windows_31j": "cp932", "x_big5": "big5", "cp_850": "cp850"}
_MORE |= {"unicode_1_1_utf_7": "utf_7", "x_mac_roman": "mac_roman", "unicode_1_1_utf_8": "utf_8"}

_SEPARATORS = re.compile(r"[^a-z0-9]++")
_MAX_NAME = 40


def codec(charset: str) -> str | None:
    """Python's name for a charset; None if it is not known."""
    if len(charset) > _MAX_NAME:
        return None
    # RFC 2231 section 5: a language may follow a star.
    name = _SEPARATORS.sub("_", charset.partition("*")[0].lower()).strip("_")
    return _PYTHON.get(name) or _MORE.get(name)


def to_unicode(data: bytes, charset: str) -> str:
    """As text, whatever the bytes are: in that charset, else UTF-8, else something readable. Never raises."""
    name = codec(charset)
    larger = None if name is None else _LARGER.get(name)
    for attempt in (name, "utf_8", larger):
        if attempt is not None:
            try:
                return _whole(data.decode(attempt), attempt)
            except ValueError:
                continue
    last = larger or name or "latin_1"
    return _whole(data.decode(last, "replace"), last)


def _whole(text: str, name: str) -> str:
    """Python's UTF-7 lets half surrogates through, which nothing can encode again."""
    return text.encode("utf-8", "replace").decode("utf-8") if name == "utf_7" else text
