"""The base subject: what remains of a subject without Re:, Fwd:, list tags and the like (RFC 5256 section 2.1)."""

import re

RFCS = (5256,)

_TRAILER = re.compile(r"(?:\(fwd\)|\s)+$", re.IGNORECASE)
_BLOB = r"\[[^\[\]]*\]\s*"
_LEADER = re.compile(rf"(?:{_BLOB})*(?:re|fwd?)\s*(?:{_BLOB})?:\s*", re.IGNORECASE)
_LEADING_BLOB = re.compile(_BLOB)
_FORWARD = re.compile(r"\[fwd:(.*)\]$", re.IGNORECASE | re.DOTALL)

# A subject is looked at so far (characters); what people write is shorter.
MAX_SUBJECT = 998


def base_subject(subject: str) -> tuple[str, bool]:
    """(base subject, whether it is a reply or forward) of a decoded subject."""
    text = " ".join(subject[:MAX_SUBJECT].split())
    reply = False
    for _ in range(20):
        before = text
        trimmed = _TRAILER.sub("", text)
        reply = reply or "(fwd)" in text[len(trimmed) :].lower()
        text = trimmed
        while True:
            leader = _LEADER.match(text)
            if leader:
                reply = True
                text = text[leader.end() :]
                continue
            blob = _LEADING_BLOB.match(text)
            # A list's tag goes, unless it is all there is.
            if blob and text[blob.end() :] and not _FORWARD.match(text):
                text = text[blob.end() :]
                continue
            break
        forward = _FORWARD.match(text)
        if forward:
            reply = True
            text = forward.group(1).strip()
        if text == before:
            break
    return text, reply
