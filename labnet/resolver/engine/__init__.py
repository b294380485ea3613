"""The decisions of a resolver, without a socket: what is answered from where, and who waits for what.

``resolver`` looks at special names, records and cache, joins a question to the same one in flight, or asks a parent and
has the answer learned; ``chains`` follows CNAMEs across all of these. Begin with ``resolver``.
"""
