"""The decisions of a resolver, without a socket: what is answered from where, and who waits for what.

``resolver`` looks at special names, records and cache, or asks a parent; ``inflight`` has every question that a parent
is being asked, who waits for it, and has the answer learned; ``fast_path`` passes datagrams on to a parent and back as
bytes; ``chains`` follows CNAMEs. Begin with ``inflight``, whose first page is the theory.
"""
