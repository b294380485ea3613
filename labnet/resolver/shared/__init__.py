"""A cache between several labs, in Redis: one of them asks, all of them know.

``cache`` decides what is taken from the others, whom is waited for, and when a lab goes alone; ``values`` has keys,
values and messages as bytes; ``store`` asks the server, over the ``connection``, in ``calls`` that each have their
time. Begin with ``cache``.
"""
