"""Zones that are given to other servers, and zones that are had from them.

``exchange`` answers those who ask, ``journal`` keeps what versions of a zone differ by.
"""
