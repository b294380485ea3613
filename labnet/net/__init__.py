"""Sockets and time, with no knowledge of what the datagrams say.

The only room that imports ``ctypes``: system calls for many datagrams (``mmsg``, ``batch``), a port that polls while it
is busy (``busypoll``) and lets datagrams gather (``coalescing``). Beside them: ports that are opened, inherited or
shared (``listening``, ``systemd``), sockets to one address (``datagrams``), time-outs by the thousand (``deadlines``),
a clock that nobody sets (``clocks``), what is done where no file descriptor is left (``descriptors``), filters in the
kernel (``packet_filter``), memory (``memory``, ``hugepages``), addresses as text (``addresses``) and sockets by their
path (``unixpath``). What may be missing is looked for: ``selftest`` tries the raw calls, ``twisted_private`` has all
that is used of Twisted without a public name. Begin with ``datagrams`` and ``listening``; ``batch`` and ``busypoll``
explain themselves in their first paragraphs.
"""
