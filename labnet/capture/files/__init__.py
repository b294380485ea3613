"""Capture files: bytes of pcap and pcapng to packets that stream by, and packets to pcapng.

``source`` reads a file once from front to back, ``pcap`` and ``pcapng`` know the two formats, ``formats`` recognises
them, ``writing`` writes. What is no capture raises ``CaptureError``. Begin with ``formats``.
"""
