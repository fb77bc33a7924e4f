"""The two backends of a repository, REST and git, and the same call on both."""

import re

from gitlab_mcp.config.settings import Settings
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.ci_job import allow_job_pushes
from tests.support.settings import job_settings, settings_for

BACKENDS = ("rest", "git")


def settings(sandbox: Sandbox, backend: str, **more: object) -> Settings:
    """The developer's access token, or the token of a job that the developer started."""
    if backend == "rest":
        own = (sandbox.project, str(sandbox.project_id))
        return settings_for(sandbox, "developer", in_ci=True, own_project=own, **more)
    return job_settings(sandbox, **more)


async def both(sandbox: Sandbox, tool: str, **arguments: object) -> tuple[str, str]:
    """What the same call answers on each backend, without what only one of them can know."""
    allow_job_pushes(sandbox)
    answers = []
    for backend in BACKENDS:
        async with connect(settings(sandbox, backend)) as agent:
            result = await agent.client.call_tool(tool, arguments)
            text = "".join(getattr(block, "text", "") for block in result.content)
            # The history of a clone without depth may end before the commit that changed a file last.
            answers.append(re.sub(r" · last commit [0-9a-f]{12}", "", text))
    return answers[0], answers[1]
