"""The console: what an operator sees of a running lab and tells it to do.

In go samples (:mod:`labnet.metrics`), a status for JSON and log events, out come pages by HTTP, files of lines and the
replies of the control socket. ``service`` puts it together: ``web`` and ``metrics`` are the pages, ``logs``,
``querylog`` and ``linefile`` what is written, ``lag`` and ``process`` what is measured of the process itself.
``control`` is the socket and ``asking`` its other end; ``actions`` says what may be asked by it; ``cli`` and
``orders_cli`` have the commands, ``running`` finds the lab that they ask, ``status`` and ``rates`` are the page of
``labnet status``. Begin with ``service``, then ``control``.
"""
