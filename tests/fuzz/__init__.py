"""Parsers that outsiders reach, run on any bytes: by atheris (``make fuzz``), and once on each seed by a test."""
