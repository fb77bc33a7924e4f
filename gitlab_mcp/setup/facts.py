"""What setup looks at first: the GitLab, the person, their role, and the project."""

import re
from dataclasses import dataclass

from gitlab_mcp.api.client import GitLab, unless_refused
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.identity import ROLES
from gitlab_mcp.api.project import Project
from gitlab_mcp.errors import GitLabRefusal, NotFound
from gitlab_mcp.setup.plan import SetupError

MAINTAINER = 40
TOKEN_USER = re.compile(r"(?:project|group)_\d+_bot")
OLDEST = (17, 2)  # the first in which jobs can push with their own token
FEATURES = "Settings > General > Visibility, project features, permissions"


@dataclass(frozen=True)
class SetupFacts:
    """The GitLab and the project as they are before any change.

    `runners` is how many of the project's runners are online, None where GitLab does not tell. `protected` is whether
    the default branch is.
    """

    version: tuple[int, int]
    user: str
    project: Entity
    default_branch: str
    protected: bool
    runners: int | None

    @property
    def path(self) -> str:
        """The path of the project, with its groups."""
        return self.project.text("path_with_namespace")

    @property
    def id(self) -> int:
        return self.project.number("id")

    def is_at_least(self, major: int, minor: int) -> bool:
        """Whether this GitLab is of a version or newer."""
        return self.version >= (major, minor)

    @property
    def notes(self) -> list[str]:
        """What a person should know before the first run."""
        notes = []
        if self.runners == 0:
            notes.append("No runner of this project is online, so that no job would start: Settings > CI/CD > Runners.")
        if not self.protected:
            notes.append(
                f"The default branch {self.default_branch} is not protected: anybody who may push can bypass merge"
                " requests. Settings > Repository > Protected branches protects it."
            )
        return notes


def look(gitlab: GitLab, name: str) -> SetupFacts:
    """Read the facts of a project. Raises SetupError where nothing could be set up there, with what to do."""
    version = gitlab.start(_version, gitlab)
    user = gitlab.start(lambda: gitlab.user)
    token = gitlab.start(lambda: gitlab.identity.token)
    project = Project(gitlab, name)
    try:
        entity = gitlab.get(project.path)
    except NotFound as missing:
        raise SetupError(
            f"There is no project {name} on {gitlab.settings.url} that this token may see.",
            "Check --project and --url, and whose token it is.",
        ) from missing
    _check_token(user.result(), token.result())
    project = Project(gitlab, str(entity.number("id")))
    _check_project(entity, _role(project, user.result()))
    branch = entity.text("default_branch")
    return SetupFacts(
        version=version.result(),
        user=user.result().text("username"),
        project=entity,
        default_branch=branch,
        protected=_is_protected(project, branch),
        runners=unless_refused(lambda: len(gitlab.every(f"{project.path}/runners", status="online")), None),
    )


def _version(gitlab: GitLab) -> tuple[int, int]:
    """The major and minor version. Raises SetupError for one in which runs cannot work."""
    try:
        text = gitlab.get("/metadata").text("version")
    except NotFound:
        text = gitlab.get("/version").text("version")
    match = re.match(r"(\d{1,4})\.(\d{1,4})", text)
    version = (int(match[1]), int(match[2])) if match else (0, 0)
    if version < OLDEST:
        raise SetupError(
            f"This GitLab has version {text or 'unknown'}, and runs need {OLDEST[0]}.{OLDEST[1]} or newer.",
            "Upgrade GitLab first.",
        )
    return version


def _check_token(user: Entity, token: Entity) -> None:
    name = user.text("username")
    if TOKEN_USER.match(name):
        raise SetupError(
            f"This token belongs to @{name}: a token of a project or group cannot create access tokens.",
            "Use a personal access token with scope api: Preferences > Access tokens.",
        )
    scopes = token.texts("scopes")
    if scopes and not {"api", "granular"} & set(scopes):
        raise SetupError(
            f"This token has the scopes {', '.join(scopes)}, and setup needs api.",
            "Create a personal access token with scope api: Preferences > Access tokens.",
        )


def _role(project: Project, user: Entity) -> int:
    """The person's access level in the project, 0 for none."""
    try:
        level = project.gitlab.get(f"{project.path}/members/all/{user.number('id')}").number("access_level")
    except GitLabRefusal:
        level = 0
    return 50 if user.flag("is_admin") else level


def _check_project(project: Entity, role: int) -> None:
    path = project.text("path_with_namespace")
    if role < MAINTAINER:
        raise SetupError(
            f"Your role in {path} is {ROLES.get(role, 'none')}, and its settings need Maintainer.",
            "Ask a maintainer to run setup, or for that role: Manage > Members.",
        )
    if project.flag("archived"):
        raise SetupError(f"{path} is archived.", "Settings > General > Advanced > Unarchive project.")
    if project.flag("empty_repo") or not project.text("default_branch"):
        raise SetupError(f"The repository of {path} is empty.", "Push a first commit, then run setup again.")
    for field, name in (("builds_access_level", "CI/CD"), ("merge_requests_access_level", "Merge requests")):
        if project.text(field) == "disabled":
            raise SetupError(f"{name} is turned off in {path}.", f"Turn it on: {FEATURES} > {name}.")


def _is_protected(project: Project, branch: str) -> bool:
    from gitlab_mcp.repository.rest_backend import RestBackend

    return RestBackend(project).branch(branch).flag("protected")
