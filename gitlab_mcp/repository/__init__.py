"""What tools ask of a project's repository."""
