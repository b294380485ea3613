"""The daemon: what is around the two servers when they run under twistd.

In go the command line and the environment, out comes a running lab. ``tap`` reads the options, ``service`` puts the
whole lab together, on the ``base`` that the supervisor of several processes has too, ``running`` is what happens to it
then (a reload, its end), ``workers`` serves one lab by several processes, ``started`` knows who started the process.
Begin with ``tap``, then ``service``.
"""

from labnet.daemon.garbage import spare_loading
from labnet.net.put_off import put_off

# Here, since all else that a daemon imports comes later.
spare_loading()
put_off()
