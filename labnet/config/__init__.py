"""The configuration file: its tables, and how it is read."""
