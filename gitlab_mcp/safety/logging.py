"""The log, on stderr, without secrets."""

import logging

from gitlab_mcp.safety.redact import redact


class RedactingFormatter(logging.Formatter):
    """Formats a record, traceback included, and takes secrets out of the whole."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """The text of a record."""
        return redact(super().format(record), self._secrets)


def log_to_stderr(secrets: tuple[str, ...]) -> None:
    """Send warnings and errors of everything in this process to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter(secrets))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
