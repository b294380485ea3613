"""One question to one parent, and which parent that is.

In goes a question, out comes an ``Upstream`` or a failure (``errors``). ``course`` asks by the course protocol, ``dns``
(with ``dns_datagrams`` and ``dns_stream``) by DNS, each one question at a time; ``relay`` asks many DNS questions in
batches, by the sockets of ``relay_sockets``. ``infra`` knows each server's round-trips and failures; ``selection`` says
which parent is asked next, and for how long. Begin with ``course``.
"""
