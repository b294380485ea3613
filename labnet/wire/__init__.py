"""Bytes on the wire and the values they stand for, of both protocols; no input or output, nothing of labnet imported.

In go datagrams and lines, out come questions, RRsets, answers and mappings (:mod:`labnet.wire.types`), and the other
way round. Any bytes give a value or one of the module's own errors. Begin with ``types``, then ``names``; ``course`` is
the protocol of the assignment, the ``dns_*`` modules are DNS: what a server receives (``dns_request``) and sends
(``dns_response``), what a client sends and receives (``dns_upstream``) and what of that answers its question
(``reply_chain``), what is forwarded in batches byte for byte (``dns_forward``), and the numbers, names and header that
all of them share (``dns_common``, ``rdata``).
"""
