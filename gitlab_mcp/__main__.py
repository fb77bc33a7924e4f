"""The command gitlab-mcp-server, which is also `python -m gitlab_mcp`."""

import signal

# Until a command has something to clean up, Ctrl-C ends the process like one that is not written in Python: during an
# import KeyboardInterrupt would be shown as a traceback. Where SIGINT was ignored from the start, it stays ignored.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run() -> None:
    """Run the command of the command line, and end the process with its exit code."""
    from gitlab_mcp.cli import entry

    entry.run()


if __name__ == "__main__":
    run()
