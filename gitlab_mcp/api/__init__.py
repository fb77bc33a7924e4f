"""GitLab over REST."""
