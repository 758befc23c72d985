"""Ids as distinct types, so that one kind is never taken for another."""

import random
from typing import NewType

TenantId = NewType("TenantId", int)
DomainId = NewType("DomainId", int)
AccountId = NewType("AccountId", int)
FolderId = NewType("FolderId", int)
ContentId = NewType("ContentId", int)
QueueId = NewType("QueueId", int)
Uid = NewType("Uid", int)
UidValidity = NewType("UidValidity", int)
ModSeq = NewType("ModSeq", int)

# Crockford's base 32: no I, L, O, U, so an id survives being read aloud.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def trace_id(now: float, chance: random.Random) -> str:
    """A message's public id: 20 characters, 50 bits of time and 50 random bits.

    It grows with time (`now` in unix seconds), so an index over it is written at one edge; its random half
    comes from `chance`, which outside of tests is the operating system's (unguessable).
    """
    bits = (int(now * 1000) << 50) | chance.getrandbits(50)
    return "".join(_ALPHABET[(bits >> shift) & 31] for shift in range(95, -1, -5))


def time_of(trace: str) -> float:
    """When a trace id was made, in unix seconds; 0 for a text that is none."""
    if len(trace) != 20:
        return 0.0
    milliseconds = 0
    for char in trace[:10]:
        value = _ALPHABET.find(char)
        if value < 0:
            return 0.0
        milliseconds = milliseconds * 32 + value
    return milliseconds / 1000
