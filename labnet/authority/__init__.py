"""A lab's own certificate authority: ``labnet cert``."""
