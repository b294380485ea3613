"""Recursion from the root: a parent that is the whole tree of the DNS.

A question goes in, and the chain of records that answers it comes out. ``walk`` goes from the root down, zone by zone;
``servers`` asks the servers of one zone; ``minimise`` says how much of the name a zone's servers see; ``bailiwick``
says what of a reply counts; ``delegation`` remembers zones and their servers; ``walks`` bounds a question's cost and
holds who waits for it; ``steps`` words what happened for people. Begin with ``walk``.
"""
