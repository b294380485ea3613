"""Is an answer what its zone's owner signed? DNSSEC validation (RFC 4033, 4034, 4035, 5155, 6840), without sockets.

``signatures`` checks one RRset by one zone's keys, ``keys`` says which keys of a zone its parent vouches for, ``nsec``
and ``nsec3`` read the proofs of what is not there, and ``work`` bounds what all of that may cost. ``chain`` goes down
from a trust anchor to a zone; what it needs it asks by a function. ``validator`` decides about one reply by all of
them, ``aggressive`` knows what was proven before, and ``parent`` puts both before a parent. Nothing here is imported
while validation is off.
"""
