"""The static records of a resolver, held so that a million names fit.

``zonedata`` takes what the files say (``zonefile_records`` on behalf of one zone file), and ``zone`` answers from it as
an authority does. Records are ``packed`` into bytes and held as ``packed_records``, those with one address in the
``table``. ``rules`` says what can stand beside what, ``occluded`` what is never answered, ``reverse`` makes names of
addresses, ``proofs`` has what signed zones prove, ``special`` the names that are nobody's. Begin with ``zone``.
"""
