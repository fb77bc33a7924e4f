"""Job logs: reading one, and searching in it."""
