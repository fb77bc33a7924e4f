"""A project set up for runs of Claude Code: what is there, a plan of changes, and the changes, each read back."""
