"""Select the tools that a run lists: by toolset, by name, and by what its credential can do."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from gitlab_mcp.config.settings import Settings, known

DEFAULT = "default"  # in --toolsets: all tools that are enabled by default
MY_WORK = "my_work"  # looks across projects, so a job has no use for it


class Listable(Protocol):
    """What decides whether a run lists a tool: a ToolDefinition has it, and its entry in the manifest."""

    @property
    def name(self) -> str: ...
    @property
    def toolset(self) -> str: ...
    @property
    def writes(self) -> bool: ...
    @property
    def opt_in(self) -> bool: ...
    @property
    def job_token(self) -> bool: ...


ListableT = TypeVar("ListableT", bound=Listable)


def selected(settings: Settings, tools: Sequence[ListableT]) -> list[ListableT]:
    """Return those of `tools` that a run lists, in their order.

    Raises SettingsError for an unknown toolset or tool name.
    """
    missing = needing_access_token(settings, tools)
    return [definition for definition in _chosen(settings, tools) if definition not in missing]


def needing_access_token(settings: Settings, tools: Sequence[ListableT]) -> list[ListableT]:
    """Return the tools that the options of a run select, but that it cannot use because it has only a job token."""
    if settings.credential.kind != "job token":
        return []
    return [definition for definition in _chosen(settings, tools) if not definition.job_token]


def _chosen(settings: Settings, tools: Sequence[ListableT]) -> list[ListableT]:
    toolsets = known(settings.toolsets, [*sorted({definition.toolset for definition in tools}), DEFAULT], "toolset")
    names = known(settings.tools, [definition.name for definition in tools], "tool")

    def is_chosen(definition: ListableT) -> bool:
        if definition.toolset == MY_WORK and (settings.in_ci or settings.allow_projects):
            return False  # these tools look across projects
        in_toolsets = definition.toolset in toolsets or (DEFAULT in toolsets and not definition.opt_in)
        if (names and definition.name not in names) or (toolsets and not in_toolsets):
            return False
        return not definition.opt_in or bool((names or toolsets) and settings.allow_opt_in_tools)

    return [
        definition for definition in tools if is_chosen(definition) and not (settings.read_only and definition.writes)
    ]


def check_names(settings: Settings) -> None:
    """Raise SettingsError for an unknown toolset or tool name in the configuration."""
    if settings.tools or settings.toolsets:
        from gitlab_mcp.tools import TOOLS  # takes time

        selected(settings, TOOLS)
