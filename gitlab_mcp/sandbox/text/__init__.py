"""Parsing text as GitLab does: mentions, references, quick actions, suggestions, durations and .gitlab-ci.yml."""
