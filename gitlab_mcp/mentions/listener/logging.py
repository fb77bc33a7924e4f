"""The listener's log: a line of JSON for each event on stderr, without secrets and without people's texts."""

import json
import logging
from datetime import UTC, datetime

from gitlab_mcp.safety.redact import redact


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON: time, level, event and the fields of the event."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__()
        self.secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON, without secrets. Of an exception it has the class and the place."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1]:
            line["exception"] = type(record.exc_info[1]).__name__
            line["place"] = _place(record.exc_info[1])
        return redact(json.dumps(line, ensure_ascii=False), self.secrets)


def log_as_json(secrets: tuple[str, ...]) -> JsonFormatter:
    """Log the listener's events, and the warnings of all others, to stderr; the formatter takes newer secrets."""
    formatter = JsonFormatter(secrets)
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("gitlab_mcp.mentions").setLevel(logging.INFO)
    return formatter


def _place(error: BaseException) -> str:
    """The module and line in which an exception was raised; its text could contain what somebody wrote."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__', '')}:{trace.tb_lineno}" if trace else ""
