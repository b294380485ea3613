"""Workers: processes that serve the resolvers' ports together, and the supervisor that keeps them running.

``service`` is the supervisor, ``processes`` keeps the workers running, each a ``process``; ``nursery`` is what they are
forks of, ``child`` what runs in one. They talk in ``messages``; what a worker is to be stands in ``orders``;
``journal`` owns the logs of what was learned; ``fleet`` asks all workers at once, ``totals`` and ``status`` make one
lab's figures of theirs. Begin with ``service``, then ``child``.
"""
