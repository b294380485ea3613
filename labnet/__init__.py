"""The networking lab in one Twisted daemon."""


def version() -> str:
    """The version of labnet that is installed, ``unknown`` where it was not installed but copied."""
    from importlib import metadata  # takes longer than all else that the clients import first

    try:
        return metadata.version("txlabnet")
    except metadata.PackageNotFoundError:
        return "unknown"
