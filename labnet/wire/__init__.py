"""Bytes on the wire and the values they stand for, of both protocols; no input or output, nothing of labnet imported.

In go datagrams and lines, out come questions, RRsets, answers and mappings (:mod:`labnet.wire.types`), and the other
way round. Any bytes give a value or one of the module's own errors. Begin with ``types``, then ``names``; ``course`` is
the protocol of the assignment, the ``dns_*`` modules are DNS: as a server reads and writes it (``dns_response``), as a
client does (``dns_upstream``), and the single-address shape that is forwarded in batches (``dns_forward``).
"""
