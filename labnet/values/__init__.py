"""How single values of the configuration are written, and what they are read to."""
