"""The networking lab in one Twisted daemon."""
