"""Claude Code's configuration files: the registration of this server, and the files of a checkout that it obeys."""

from gitlab_mcp.claude_code.json_file import RegistrationError
from gitlab_mcp.claude_code.project_files import (
    disable_project_servers,
    enable_project_servers,
    obeyed_files,
    project_servers,
)
from gitlab_mcp.claude_code.registration import (
    Registration,
    Scope,
    flag_arguments,
    is_in_cache,
    lasting_registration,
    other_server,
    own_command,
    own_registration,
    project_folder,
    register,
    unregister,
)

__all__ = [
    "Registration",
    "RegistrationError",
    "Scope",
    "disable_project_servers",
    "enable_project_servers",
    "flag_arguments",
    "is_in_cache",
    "lasting_registration",
    "obeyed_files",
    "other_server",
    "own_command",
    "own_registration",
    "project_folder",
    "project_servers",
    "register",
    "unregister",
]
