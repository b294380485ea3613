"""What was learned: in memory with its lifetime, and in logs that survive a crash.

``policy`` makes an entry of what a parent said, ``cache`` holds it in memory, ``logs`` writes it to two files, whose
lines ``lines`` makes and reads, ``dump`` shows it. One such file is a ``log``, which is written anew by ``rewrite`` and
brought to the disk by ``syncing``. In go replies that were checked, out come answers with their age. Begin with
``cache``, then ``log``.
"""
