"""The files that a resolver reads: any bytes in, records and problems out.

``course`` reads the assignment's records file, ``detect`` tells hosts files from zone files, ``zonefile`` and
``zonefile_bulk`` read the latter, ``resolv_conf`` and ``root_hints`` say where others are. What is wrong comes back as
problems with their lines, never as an exception. Begin with ``course``.
"""
