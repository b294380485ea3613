"""What a resolver keeps from its clients: names on block lists, and addresses that are none of a parent's to give.

Files are read (``names_file``, ``policy_zone``) to the packed ``names`` of one of the ``lists``. The ``screen`` of a
client says which lists count for it, a ``treatment`` what is answered. Nothing here is on the way of what is ready.
"""
