"""Plays the journey on a real GitLab, and says which of the facts that this server depends on hold there."""
