"""The git command: running it, the scratch repository, reading objects and history, making and pushing commits."""
