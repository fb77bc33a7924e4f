"""How answers look; the only way in which text from GitLab reaches the agent."""
