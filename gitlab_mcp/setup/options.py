"""What a person asked setup for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Provider = Literal["api-key", "oidc", "bedrock", "vertex"]
PROVIDERS: tuple[Provider, ...] = ("api-key", "oidc", "bedrock", "vertex")

API_KEY = "ANTHROPIC_API_KEY"
RUN_TOKEN = "GITLAB_ACCESS_TOKEN"  # noqa: S105  # the name of a variable
# A token for runs that a person made, where setup cannot make one: GITLAB_ACCESS_TOKEN is the person's own here.
GIVEN_TOKEN = "GITLAB_MCP_RUN_TOKEN"  # noqa: S105  # the name of a variable

TOKEN_DAYS = 364  # GitLab's own limit is 365 days, counted in its time zone


@dataclass(frozen=True)
class SetupOptions:
    """The options of the command.

    `inputs` are those of the provider's template; `variables` the names of further CI/CD variables; `protected` is
    whether only protected branches get them; `push_unprotected` is the answer to the question of the push switch;
    `image` contains the server and Claude Code; `listener_url` is the public address of the listener for mentions, ""
    where none is set up, and `listener_folder` where its configuration is written.
    """

    provider: Provider = "api-key"
    inputs: Mapping[str, str] = field(default_factory=dict)
    variables: Sequence[str] = ()
    protected: bool = False
    push: bool = True
    push_unprotected: bool = False
    access_token: bool = True
    token_days: int = TOKEN_DAYS
    image: str = ""
    listener_url: str = ""
    listener_folder: Path = Path()

    @property
    def template(self) -> str:
        """The name of the provider's template."""
        return {"api-key": "claude", "oidc": "claude-api-oidc"}.get(self.provider, f"claude-{self.provider}")
