"""Recursion from the root: a parent that is the whole tree of the DNS.

``walk`` asks servers from the root down, ``minimise`` says how much of the name each is told, ``bailiwick`` what of a
reply counts, ``delegation`` remembers zones and their servers, ``steps`` words what happened for people. Begin with
``walk``.
"""
