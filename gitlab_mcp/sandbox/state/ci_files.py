"""The configuration of a pipeline: the CI file at a commit with its inputs, and the files that it includes.

Files of the project (`local`), of another project (`project`) and components of this GitLab are included, as
Gitlab::Ci::Config::External does; remote files and GitLab's own templates are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gitlab_mcp.sandbox.git.trees import find, read_blob
from gitlab_mcp.sandbox.state.model import Project
from gitlab_mcp.sandbox.state.permissions import may_read_code
from gitlab_mcp.sandbox.state.users import User
from gitlab_mcp.sandbox.state.world import World
from gitlab_mcp.sandbox.text.ci_inputs import InvalidInputs, interpolate
from gitlab_mcp.sandbox.text.ci_jobs import deep_merge, faults
from gitlab_mcp.sandbox.text.ci_variables import expand
from gitlab_mcp.sandbox.text.yaml import InvalidYaml, Unreadable, load

_CI_FILE = ".gitlab-ci.yml"
_MOST_FILES = 150  # Gitlab::CurrentSettings.ci_max_includes


class InvalidConfiguration(Exception):
    """The configuration has errors; the text is GitLab's."""


def read_file(project: Project, sha: str, path: str) -> str | None:
    """The content of a file at a commit, or None if there is no such file."""
    entry = find(project.repository, sha, path.lstrip("/"))
    if entry is None or entry.type != "blob":
        return None
    return read_blob(project.repository, entry.sha).decode("utf-8", "replace")


def ci_path(project: Project) -> str:
    """The path of the CI configuration, which is a setting of the project."""
    return str(project.settings.get("ci_config_path") or _CI_FILE)


def configuration(
    world: World, project: Project, user: User, sha: str, given: Mapping[str, Any], variables: Mapping[str, str]
) -> dict[str, Any] | None:
    """The whole configuration as one mapping, or None where the project has none.

    Raises InvalidConfiguration with GitLab's message, and Unreadable for what is not read here.
    """
    path = ci_path(project)
    if "@" in path or "://" in path:
        raise Unreadable(f"the configuration {path} is outside of the project")
    text = read_file(project, sha, path)
    if text is None:
        return None
    whole = _Files(world, user, variables).whole(project, sha, text, given)
    if errors := faults(whole):
        raise InvalidConfiguration(errors[0])
    return whole


class _Files:
    def __init__(self, world: World, user: User, variables: Mapping[str, str]) -> None:
        self.world = world
        self.user = user
        self.variables = variables
        self.count = 0

    def whole(self, project: Project, sha: str, text: str, given: Mapping[str, Any], name: str = "") -> dict[str, Any]:
        """A file merged over what it includes; errors in an included file begin with its name."""
        where = f"`{name}`: " if name else ""
        try:
            value = load(interpolate(text, given, self.variables))
        except (InvalidInputs, InvalidYaml) as error:
            raise InvalidConfiguration(f"{where}{error}") from error
        if not isinstance(value, dict):
            raise InvalidConfiguration(f"{where}Invalid configuration format")
        merged: dict[str, Any] = {}
        for included in _listed(value.pop("include", None)):
            merged = deep_merge(merged, self._included(project, sha, included))
        return deep_merge(merged, value)

    def _included(self, project: Project, sha: str, included: Any) -> dict[str, Any]:
        entry = {"local": included} if isinstance(included, str) else included
        self.count += 1
        if not isinstance(entry, dict) or "rules" in entry or self.count > _MOST_FILES:
            raise Unreadable(f"the include {included!r} is not read")
        given = entry.get("inputs") or {}
        if "local" in entry:
            return self._file(project, sha, expand(str(entry["local"]), self.variables), given, "Local")
        if "component" in entry:
            return self._component(expand(str(entry["component"]), self.variables), given)
        if "project" not in entry or isinstance(entry.get("file"), list):
            raise Unreadable(f"the include {included!r} is not read")
        path, ref = (expand(str(entry.get(name) or ""), self.variables) for name in ("project", "ref"))
        other, at = self._commit(path, ref or "HEAD")
        return self._file(other, at, expand(str(entry.get("file") or ""), self.variables), given, "Project")

    def _file(self, project: Project, sha: str, path: str, given: Mapping[str, Any], kind: str) -> dict[str, Any]:
        name = path.lstrip("/")
        text = read_file(project, sha, name)
        if text is None:
            where = f"Project `{project.full_path}` file" if kind == "Project" else "Local file"
            raise InvalidConfiguration(f"{where} `{name}` does not exist!")
        return self.whole(project, sha, text, given, name)

    def _component(self, address: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """HOST/PROJECT/NAME@VERSION, which is templates/NAME.yml or templates/NAME/template.yml of the project."""
        path, _, version = address.partition("@")
        _, _, path = path.partition("/")
        path, _, name = path.rpartition("/")
        project, sha = self._commit(path, version, f"Component '{address}' - content not found")
        for file in (f"templates/{name}.yml", f"templates/{name}/template.yml"):
            if (text := read_file(project, sha, file)) is not None:
                return self.whole(project, sha, text, given, address)
        raise InvalidConfiguration(f"Component '{address}' - content not found")

    def _commit(self, path: str, ref: str, message: str = "") -> tuple[Project, str]:
        project = self.world.project_by_path(path)
        if project is None or not may_read_code(self.user, project):
            raise InvalidConfiguration(message or f"Project `{path}` not found or access denied!")
        sha = project.repository.resolve(project.repository.default_branch if ref == "HEAD" else ref)
        if sha is None:
            raise InvalidConfiguration(message or f"Project `{path}` reference `{ref}` does not exist!")
        return project, sha


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
