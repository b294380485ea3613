"""The static records of a resolver, held so that a million names fit.

``zone`` answers as an authority does, from the names of ``table``, whose records are ``packed`` into bytes; ``rules``
says what can stand beside what, ``reverse`` makes names of addresses, ``special`` has the names that are nobody's.
Begin with ``zone``.
"""
