"""One question to one parent, and which parent that is.

``course`` asks by the course protocol, ``dns`` by DNS, each one question at a time; ``relay`` passes many DNS questions
on in batches, through the sockets of ``relay_sockets``; ``selection`` knows which parent is up, how long its replies
take, and which is asked next. In goes a question, out comes an ``Upstream`` or a failure. Begin with ``course``.
"""
