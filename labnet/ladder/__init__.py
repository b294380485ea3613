"""The ladder: a column a host, an arrow a datagram or a segment, time downwards; as SVG and as text.

What went on to a parent is an arrow further; an answer from memory has none. It is drawn from plain values, so that the
live page, a terminal, a capture's page and a report have the same picture of the same traffic.
"""
