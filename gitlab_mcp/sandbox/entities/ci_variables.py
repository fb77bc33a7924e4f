"""CI/CD variables."""

from __future__ import annotations

from typing import Any

from gitlab_mcp.sandbox.state.ci_variables import CiVariable
from gitlab_mcp.sandbox.state.world import World


def ci_variable(world: World, variable: CiVariable) -> dict[str, Any]:
    """Ci::Variable of a project: the value of a hidden one is null."""
    return {
        "variable_type": variable.variable_type,
        "key": variable.key,
        "value": None if variable.hidden else variable.value,
        **({"hidden": variable.hidden} if world.is_at_least(17, 4) else {}),
        "protected": variable.protected,
        "masked": variable.masked,
        "raw": variable.raw,
        "environment_scope": variable.environment_scope,
        "description": variable.description,
    }
