"""Many packets to what they mean together.

``exchanges`` finds questions with their answers, also through parents; ``sessions`` puts TCP segments in order;
``checks`` says what misleads a reader (offloaded checksums, padding, cut frames). Begin with ``exchanges``.
"""
