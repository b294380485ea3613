"""Faults on order: what is lost, late, doubled or forged on purpose, so that a class can see it."""
