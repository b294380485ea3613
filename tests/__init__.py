"""Tests of labnet. Hypothesis takes the same examples in every run, and does not judge how long they take."""

from hypothesis import settings

settings.register_profile("labnet", deadline=None, derandomize=True, database=None, max_examples=200)
settings.load_profile("labnet")
