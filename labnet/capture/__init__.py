"""Captures: read, explain, answer the exercises with the bytes that prove it, and write our own traffic."""
