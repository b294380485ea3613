"""The resolver: names from a file, from what was learned, from the parents."""
