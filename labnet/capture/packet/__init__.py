"""One packet to its layers, and each layer to fields with the bytes that every one comes from.

``dissect`` decides which header follows which, ``headers`` and ``options`` read them, ``fragments`` puts IP fragments
together, ``applications`` and ``dns`` read what they carry. Begin with ``dissect``.
"""
