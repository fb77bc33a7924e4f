"""Select the tools that a run lists: by toolset, by name, and by what its credential can do."""

from gitlab_mcp.config.settings import Settings, known
from gitlab_mcp.tools import TOOLS
from gitlab_mcp.tools.definition import ToolDefinition

DEFAULT = "default"  # in --toolsets: all tools that are enabled by default
MY_WORK = "my_work"  # looks across projects, so a job has no use for it


def selected(settings: Settings) -> list[ToolDefinition]:
    """Return the tools that a run lists, in their fixed order.

    Raises SettingsError for an unknown toolset or tool name.
    """
    missing = needing_access_token(settings)
    return [definition for definition in _chosen(settings) if definition not in missing]


def needing_access_token(settings: Settings) -> list[ToolDefinition]:
    """Return the tools that the options of a run select, but that it cannot use because it has only a job token."""
    if settings.credential.kind != "job token":
        return []
    return [definition for definition in _chosen(settings) if not definition.job_token]


def _chosen(settings: Settings) -> list[ToolDefinition]:
    toolsets = known(settings.toolsets, [*sorted({definition.toolset for definition in TOOLS}), DEFAULT], "toolset")
    names = known(settings.tools, [definition.name for definition in TOOLS], "tool")

    def is_chosen(definition: ToolDefinition) -> bool:
        if definition.toolset == MY_WORK and (settings.in_ci or settings.allow_projects):
            return False  # these tools look across projects
        in_toolsets = definition.toolset in toolsets or (DEFAULT in toolsets and not definition.opt_in)
        if (names and definition.name not in names) or (toolsets and not in_toolsets):
            return False
        return not definition.opt_in or bool((names or toolsets) and settings.allow_opt_in_tools)

    return [
        definition for definition in TOOLS if is_chosen(definition) and not (settings.read_only and definition.writes)
    ]
