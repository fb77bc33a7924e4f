"""Logging to stderr, with secrets redacted."""

import logging

from gitlab_mcp.safety.redact import redact


class RedactingFormatter(logging.Formatter):
    """Formats a record, and redacts secrets in its message and its traceback."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """The formatted record, without secrets."""
        return redact(super().format(record), self._secrets)


def log_to_stderr(secrets: tuple[str, ...]) -> None:
    """Log warnings and errors of every logger in this process to stderr, without `secrets`."""
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter(secrets))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
