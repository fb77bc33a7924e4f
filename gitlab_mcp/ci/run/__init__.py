"""The command `run`: Claude Code is started with a prompt, watched, and its result reported."""
