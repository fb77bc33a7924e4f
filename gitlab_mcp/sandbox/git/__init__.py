"""Real git repositories: how they are stored, read, merged and pushed to, and served over smart HTTP."""
