"""TLS: which certificates are shown, and which are believed. Imported only where something is encrypted."""
