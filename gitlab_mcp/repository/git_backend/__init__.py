"""The git backend: a project's repository over git, for a run that has only its job token to write with."""
