"""The courses' questions on packets, answered from any capture: ``labnet exercise``.

``run`` finds the answers; ``ip``, ``dhcp``, ``arp``, ``http`` and ``trace`` are the exercises, each a list of answers
with the bytes that prove them (``model``); ``marking`` compares a student's answers; ``text``, ``page`` and ``picture``
show them. Begin with ``model``, then ``arp``.
"""
