"""Job logs: reading one, and searching it with a regular expression."""
