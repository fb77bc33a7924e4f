"""What this server asks of the git command."""
