"""Sockets and time, with no knowledge of what the datagrams say.

The only room that imports ``ctypes``: system calls for many datagrams (``mmsg``, ``batch``), a port that polls while it
is busy (``busypoll``) and lets datagrams gather (``coalescing``), time-outs by the thousand (``deadlines``), sockets to
one address (``datagrams``). Begin with ``datagrams``, which is the plainest; ``batch`` and ``busypoll`` explain
themselves in their first paragraphs.
"""
