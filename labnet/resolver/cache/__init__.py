"""What was learned: in memory with its lifetime, and in logs that survive a crash.

``policy`` makes an entry of what a parent said, ``cache`` keeps it in memory, ``log`` appends it to a file in the
format of ``lines`` or of the records file, ``rewrite`` writes such a file anew while it goes on, ``dump`` shows it.
Begin with ``cache``.
"""
