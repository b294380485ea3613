"""Recursion without a parent: the walk down from the root, and all it needs."""
