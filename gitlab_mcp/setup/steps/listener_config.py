"""The configuration of the listener on this machine."""

from gitlab_mcp.setup.plan import Blocked, InPlace, Outcome, PlannedChange
from gitlab_mcp.setup.step import SetupContext, SetupStep


class ListenerConfigStep(SetupStep):
    """listen.toml names the variables that listen.env sets; it never holds a value."""

    id = "listener"
    needs = ("trigger-token", "webhook")

    def look(self, setup: SetupContext) -> Outcome:
        files = setup.listener
        if files.is_configured and files.secret("access_token"):
            return InPlace(f"{files.config}: has {setup.facts.path}. {start(setup)}")
        if not setup.options.access_token and not files.secret("access_token"):
            return Blocked(
                f"{files.config}: the listener needs an access token with scope api",
                f"Leave out --no-access-token, or add {files.variable('access_token')}=... to {files.secrets}.",
            )
        purpose = (
            f"the listener knows the project by it; its secrets are in {files.secrets.name}, which only you can read"
        )
        return PlannedChange(str(files.config), purpose, "absent", start(setup))

    def apply(self, setup: SetupContext) -> None:
        setup.listener.configure()

    def look_undo(self, setup: SetupContext) -> Outcome:
        files = setup.listener
        if not files.is_there:
            return InPlace(f"{files.config}: has nothing of {setup.facts.path}")
        return PlannedChange(str(files.config), "setup wrote it", "there", "removed, with its secrets")

    def undo(self, setup: SetupContext) -> None:
        setup.listener.remove()


def start(setup: SetupContext) -> str:
    """How the listener is started."""
    files = setup.listener
    return f"start it: set -a; . {files.secrets}; gitlab-mcp-server listen --config {files.config}"
