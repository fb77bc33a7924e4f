"""The repository of a project over git, for a run that may write with nothing but its job token."""
