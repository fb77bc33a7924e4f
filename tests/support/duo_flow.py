"""The flow for GitLab Duo in examples/, and the commands in it."""

from pathlib import Path

from tests.support.templates import EXAMPLES, script

FLOW = EXAMPLES / "duo" / ".gitlab" / "duo" / "flows" / "claude.yaml"


def commands(flow: Path) -> str:
    """The commands of a flow, one after the other, as a runner's shell gets them."""
    listed = flow.read_text().partition("\ncommands:\n")[2]
    return script("  script:\n" + "\n".join(f"  {line}" if line.strip() else "" for line in listed.splitlines()))
