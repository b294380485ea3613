"""Who may, and how much: decisions about an address, without any protocol.

``access`` says whether an address is inside the networks of a configuration, ``ratelimit`` whether its network still
has answers left. In go addresses and times, out come booleans.
"""
