"""The demonstration: the full workflow from an issue to a merge request, on the sandbox."""
