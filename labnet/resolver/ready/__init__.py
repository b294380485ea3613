"""Answers that are ready as bytes, by the bytes of the question.

``packetcache`` keeps them, ``ttl_patch`` counts their seconds down in place, ``from_records`` makes them straight from
the records. In goes a datagram or its key, out comes a whole reply or nothing. Begin with ``packetcache``.
"""
