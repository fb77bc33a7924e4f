"""A project's repository on GitLab: one interface with two backends (REST and git), and commits through it."""
