"""Captures: read, explain, answer the exercises with the bytes that prove it, and write the lab's own traffic.

``files`` turns a capture file into packets, ``packet`` a packet into layers and fields, ``traffic`` packets into
exchanges and sessions; ``narrative`` puts all of that into words, ``exercises`` answers the courses' questions from it,
``record`` writes captures. Every value knows the bytes that it comes from (``model``). Begin with ``model``, then
``narrative.explain``.
"""
