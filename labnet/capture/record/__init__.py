"""Captures that labnet writes.

``recording`` and ``live`` capture at a packet socket (``labnet capture``); ``tapping`` and ``own_traffic`` write what
the program itself sends and receives, without any rights. Begin with ``recording``.
"""
