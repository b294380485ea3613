"""A grade for its readers: a terminal, a page, programs, and whole classes."""
