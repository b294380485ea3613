"""The resolver: names from files, from what was learned, and from the parents.

A datagram comes in at ``serve``; ``ready`` answers it from bytes where it can, else ``engine`` decides, from
``records``, ``cache`` and what ``upstream`` (parents) or ``recursive`` (from the root) tell. ``clients`` says what the
asker may have, ``files`` reads what is configured, ``shared`` is a cache between several labs. Begin with ``service``,
which puts one resolver together, then ``engine.resolver``, which holds its decisions.
"""
