"""What this run may do, whatever a tool or GitLab would allow; asked before every request."""

import base64
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from pathspec import GitIgnoreSpec

from gitlab_mcp.config.settings import READS, Settings
from gitlab_mcp.errors import Refused
from gitlab_mcp.git.change import Change

# What GitLab is asked beside projects: who this is, and what the token can do.
ABOUT_THE_RUN = re.compile(r"/(user|personal_access_tokens/self|version|metadata|job)")

# A POST that changes nothing: GitLab looks over a configuration.
ONLY_LOOKS = re.compile(r"/projects/[^/]+/ci/lint")

# What is asked at a desk across projects.
ACROSS_PROJECTS = ("/projects", "/issues", "/merge_requests")

BRANCH_PATH = re.compile(r"/repository/branches/([^/]+)$")

SECRET_INSIDE = "The text holds the value of a secret of this run: nothing was sent. Leave the secret out."  # noqa: S105  # no secret

# Files that run in pipelines, decide who must approve, or instruct the next agent.
GUARDED_FILES = GitIgnoreSpec.from_lines(
    (".gitlab-ci.yml", "/.gitlab/", "codeowners", ".mcp.json", ".claude/", "claude.md", "agents.md")
)


@dataclass(frozen=True)
class Policy:
    """The policy of a run."""

    settings: Settings

    def check(
        self, method: str, path: str, body: Mapping[str, object] | None, default_branch: Callable[[str], str]
    ) -> None:
        """Raise Refused for a request that this run may not send. `path` is below /api/v4, as it is sent."""
        writes = method not in READS and not ONLY_LOOKS.fullmatch(path)
        if writes and self.settings.read_only:
            raise Refused("This run is read-only (--read-only).")
        project = project_of(path)
        if project is None and path in ACROSS_PROJECTS and not writes:
            if confined := self._confined():
                raise Refused(f"This run is confined to {', '.join(confined)}: nothing is listed across projects.")
            return
        if project is None:
            if writes or not ABOUT_THE_RUN.fullmatch(path):
                raise Refused(f"This server does not ask GitLab for {path}.")
            return
        if not self.covers(project, path, writes=writes):
            raise Refused(
                f"This run is confined to {', '.join(self._confined())}: {project} is another project."
                " A maintainer opens it with --allow-project."
            )
        if method == "delete" and self.settings.in_ci and (named := BRANCH_PATH.search(path)):
            self._check_repository_write(unquote(named[1]), (), lambda: default_branch(project))
        if body is None:
            return
        self._check_secrets(body)
        if writes and self.settings.in_ci and "/repository/" in path:
            actions = body.get("actions")
            listed = actions if isinstance(actions, list) else []
            paths = (str(action.get(key) or "") for action in listed for key in ("file_path", "previous_path"))
            self._check_repository_write(str(body.get("branch", "")), paths, lambda: default_branch(project))

    def check_push(
        self, path: str, branch: str, message: str, changes: Sequence[Change], default_branch: Callable[[], str]
    ) -> None:
        """Raise Refused for a push that this run may not make. `path` is the project's below /api/v4."""
        self.check("post", f"{path}/repository", None, lambda _project: default_branch())
        texts = (branch, message, *(path for change in changes for path in change.paths))
        contents = [text.encode("utf-8", "replace") for text in texts]
        contents += [change.content for change in changes if change.content]
        if any(secret.encode() in content for secret in self.settings.secret_values for content in contents):
            raise Refused(SECRET_INSIDE)
        if self.settings.in_ci:
            self._check_repository_write(branch, (path for change in changes for path in change.paths), default_branch)

    def check_merge(self, branch: str, paths: Callable[[], Iterable[str]], default_branch: Callable[[], str]) -> None:
        """Raise Refused for a merge into `branch` of what changes `paths`, if this run may not write there."""
        if not self.settings.in_ci:
            return
        if not self.settings.allow_default_branch and branch == default_branch():
            raise Refused(
                f"In CI nothing is merged into {branch}, the default branch: leave that to a person. A maintainer opens"
                " it with --allow-default-branch."
            )
        self._check_files(paths())

    def check_rebase(self, branch: str, default_branch: Callable[[], str]) -> None:
        """Raise Refused where this run may not rewrite `branch`."""
        if self.settings.in_ci:
            self._check_repository_write(branch, (), default_branch)

    def covers(self, project: str, path: str, *, writes: bool) -> bool:
        """Whether requests about `project` (a path or an id) are allowed."""
        confined = self._confined()
        if not confined or project.lower() in confined:
            return True
        elsewhere = self.settings.merge_request
        if elsewhere is None or project != elsewhere.project_id:
            return False
        # A pipeline of a fork's merge request runs in the fork: there it may be read, and commented on.
        own = rf"/projects/{elsewhere.project_id}(/merge_requests/{elsewhere.iid}(/(?P<rest>.*))?)?"
        match = re.fullmatch(own, path)
        return match is not None and (
            not writes or re.match(r"notes|discussions|draft_notes", match["rest"] or "") is not None
        )

    def _confined(self) -> tuple[str, ...]:
        """The paths and ids of the only projects that may be asked about, in lower case; () for any."""
        settings = self.settings
        if not settings.in_ci and not settings.allow_projects:
            return ()
        return tuple(name.lower() for name in (*settings.own_project, *settings.allow_projects) if name)

    def _check_secrets(self, body: Mapping[str, object]) -> None:
        text = json.dumps(body, ensure_ascii=False, default=str)
        actions = body.get("actions")
        contents = [_bytes(action) for action in actions] if isinstance(actions, list) else []
        for secret in self.settings.secret_values:
            # A quote, a backslash or a line break is written otherwise in JSON, here as there.
            in_json = json.dumps(secret, ensure_ascii=False)[1:-1]
            if in_json in text or any(secret.encode() in content for content in contents):
                raise Refused(SECRET_INSIDE)

    def _check_repository_write(self, branch: str, paths: Iterable[str], default_branch: Callable[[], str]) -> None:
        if not self.settings.allow_default_branch and branch == default_branch():
            raise Refused(
                f"In CI nothing is written to {branch}, the default branch: commit to another one and open a merge"
                " request. A maintainer opens it with --allow-default-branch."
            )
        self._check_files(paths)

    def _check_files(self, paths: Iterable[str]) -> None:
        for named in paths:
            if named and self.guards(named):
                raise Refused(
                    f"In CI {named} is not written: such files run in pipelines, decide who approves, or instruct"
                    f' agents. A maintainer opens it with --allow-files "{named}".'
                )

    def guards(self, path: str) -> bool:
        """Whether `path` names a guarded file that no flag opened, in any letter case or Unicode form."""
        opened = GitIgnoreSpec.from_lines(self.settings.allow_files)
        return GUARDED_FILES.match_file(plain(path)) and not opened.match_file(path)

    def remarks(self, branch: str, paths: Iterable[str], default_branch: str) -> list[str]:
        """What is worth pointing out about a commit that was made."""
        said = [f"Note: {branch} is the default branch."] if branch == default_branch else []
        guarded = [path for path in paths if self.guards(path)]
        verbs = ("run", "decide", "instruct") if len(guarded) > 1 else ("runs", "decides", "instructs")
        if guarded:
            names = ", ".join(guarded[:10])
            said.append(f"Note: {names} {verbs[0]} in pipelines, {verbs[1]} who approves, or {verbs[2]} agents.")
        return said


def _bytes(action: Mapping[str, object]) -> bytes:
    content = str(action.get("content") or "")
    return base64.b64decode(content) if action.get("encoding") == "base64" else content.encode()


def plain(path: str) -> str:
    """A path as a careless file system would read it: one Unicode form and case, nothing invisible, no odd ends."""
    folded = unicodedata.normalize("NFKC", path).casefold()
    seen = "".join(character for character in folded if unicodedata.category(character) not in ("Cf", "Cc", "Mn"))
    return "/".join(part.rstrip(" .") for part in seen.replace("\\", "/").split("/"))


def project_of(path: str) -> str | None:
    """The project that a path below /api/v4 is about, decoded; None for a path about something else."""
    match = re.match(r"/projects/([^/]+)", urlsplit(path).path)
    return unquote(match[1]) if match else None
