"""The command server: TIME and EXIT over TCP, for any number of clients or one at a time.

In go the ``[command]`` table of the configuration and connections, out come replies, counts and, after an EXIT, one
call. ``service`` wires the room, ``ports`` opens the listening sockets, ``admission`` says who may connect, ``gate``
whose turn it is. ``protocol`` is one connection; begin with ``states``, its theory. Below it stand the codec
(``framing``, bytes into commands), the words (``replies``) and what spares the reactor (``stream``, ``reader``).
"""
