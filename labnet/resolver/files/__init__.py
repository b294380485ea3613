"""The files that a resolver reads: any bytes in, records and problems out.

``course`` reads the assignment's records file and ``hosts`` a hosts file; ``detect`` tells them from zone files.
``zonefile`` reads those, with ``entries`` for one entry, ``generate`` for one that stands for many, and
``zonefile_bulk`` for many lines of addresses at a time. ``resolv_conf`` and ``root_hints`` say where others are. What
is wrong comes back as ``problem`` with its line, never as an exception. Begin with ``hosts``, the shortest.
"""
