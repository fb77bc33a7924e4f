"""Render entities of GitLab as Markdown, within budgets. Text from GitLab reaches the agent only through here."""
