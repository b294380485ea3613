"""The command server: TIME and EXIT over TCP."""
