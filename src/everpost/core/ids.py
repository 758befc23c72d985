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


def trace_id(chance: random.Random) -> str:
    """A message's or decision's public id: 20 characters, 100 random bits, unguessable if `chance` is."""
    bits = chance.getrandbits(100)
    return "".join(_ALPHABET[(bits >> shift) & 31] for shift in range(95, -1, -5))
