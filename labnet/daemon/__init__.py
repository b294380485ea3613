"""The daemon: what is around the two servers when they run under twistd.

In go the command line and the environment, out comes a running lab. ``tap`` reads the options, ``service`` puts the
whole lab together, on the ``base`` that the supervisor of several processes has too, ``running`` is what happens to it
then (a reload, its end), ``workers`` serves one lab by several processes, ``started`` knows who started the process.
Begin with ``tap``, then ``service``.
"""
