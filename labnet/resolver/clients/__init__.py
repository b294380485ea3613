"""What a resolver knows and counts of its clients.

``admission`` says what an address may have and how much is in flight for it, ``cookies`` makes and checks DNS cookies,
``counts`` adds up what became of each question. Begin with ``admission``.
"""
