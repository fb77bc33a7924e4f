"""What happens in a CI job: the start without a command, and what it reports to the log."""
