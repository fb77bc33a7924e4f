"""The policy of a run: which requests it may send, whatever a tool or GitLab would allow. Checked before each one."""

import base64
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from pathspec import GitIgnoreSpec

from gitlab_mcp.config.settings import CREDENTIAL_VARIABLE, READS, Settings
from gitlab_mcp.errors import Refused
from gitlab_mcp.git.change import Change
from gitlab_mcp.safety.redact import is_public
from gitlab_mcp.safety.sanitize import quoted_line

# The paths outside projects that may be read: the user, and what the token can do.
USER_PATHS = re.compile(r"/(user|personal_access_tokens/self|version|metadata|job)")

# What `listen` also reads, and no run that is restricted to projects may: users, and the hooks of a group.
SHARED_PATHS = re.compile(r"/(users(/[0-9]+)?|groups/[^/]+/hooks)")

# A POST that changes nothing: GitLab validates a CI configuration.
READ_ONLY_POST = re.compile(r"/projects/[^/]+/ci/lint")

# Where GitLab keeps secrets: outside CI, `setup` stores there what its user gives it. No tool writes there.
SECRET_STORE = re.compile(r"/projects/[^/]+/variables(/[^/]+)?")

# Lists across projects, which only a local run may read.
ACROSS_PROJECTS = ("/projects", "/issues", "/merge_requests")

BRANCH_PATH = re.compile(r"/repository/branches/([^/]+)$")

# Files that run in pipelines, decide who must approve, or contain instructions for agents.
GUARDED_FILES = GitIgnoreSpec.from_lines(
    (".gitlab-ci.yml", "/.gitlab/", "codeowners", ".mcp.json", ".claude/", "claude.md", "agents.md")
)


@dataclass(frozen=True)
class Policy:
    """The policy of a run, from its settings."""

    settings: Settings

    def check(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None,
        default_branch: Callable[[str], str],
        file: tuple[str, bytes] | None = None,
    ) -> None:
        """Raise Refused for a request that this run may not send.

        `path` is below /api/v4, URL-encoded; `default_branch` returns that of a project; `file` is the name and the
        content of a file to upload.
        """
        writes = method not in READS and not READ_ONLY_POST.fullmatch(path)
        if writes and self.settings.read_only:
            raise Refused("This run is read-only (--read-only).")
        project = project_of(path)
        if project is None and path in ACROSS_PROJECTS and not writes:
            if allowed := self.allowed_projects():
                raise Refused(f"This run is restricted to {', '.join(allowed)}: nothing is listed across projects.")
            return
        if project is None:
            shared = SHARED_PATHS.fullmatch(path) and not self.allowed_projects()
            if writes or not (shared or USER_PATHS.fullmatch(path)):
                raise Refused(f"This server sends no request to {path}.")
            return
        if not self.covers(project, path, writes=writes):
            raise Refused(
                f"This run is restricted to {', '.join(self.allowed_projects())}: {project} is another project."
                " A maintainer can allow this with --allow-project."
            )
        if method == "delete" and self.settings.in_ci and (branch := BRANCH_PATH.search(path)):
            self.check_branch(project, unquote(branch[1]))
            self._check_repository_write(unquote(branch[1]), (), lambda: default_branch(project))
        if file:
            self._refuse_secrets(lambda secret: any(secret.encode() in part for part in (file[0].encode(), file[1])))
        if body is None:
            return
        if self.settings.in_ci or not SECRET_STORE.fullmatch(urlsplit(path).path):
            self._check_secrets(body)
        if writes and self.settings.in_ci:
            self.check_branch(project, str(body.get("branch") or body.get("source_branch") or ""))
        if writes and self.settings.in_ci and "/repository/" in path:
            actions = body.get("actions")
            rows = actions if isinstance(actions, list) else []
            paths = (str(action.get(key) or "") for action in rows for key in ("file_path", "previous_path"))
            self._check_repository_write(str(body.get("branch", "")), paths, lambda: default_branch(project))

    def check_push(
        self, path: str, branch: str, message: str, changes: Sequence[Change], default_branch: Callable[[], str]
    ) -> None:
        """Raise Refused for a push that this run may not make. `path` is the API path of the project."""
        self.check("post", f"{path}/repository", None, lambda _project: default_branch())
        texts = (branch, message, *(path for change in changes for path in change.paths))
        contents = [text.encode("utf-8", "replace") for text in texts]
        contents += [change.content for change in changes if change.content]
        self._refuse_secrets(lambda secret: any(secret.encode() in content for content in contents))
        if self.settings.in_ci:
            self.check_branch(project_of(path) or "", branch)
            self._check_repository_write(branch, (path for change in changes for path in change.paths), default_branch)

    def check_branch(self, project: str, branch: str) -> None:
        """Raise Refused for the name of a fork's branch in the run's own project (a path or an id).

        The branch that has this name there is not the one that the run's merge request is from.
        """
        job = self.settings.job
        own = {name.lower() for name in self.settings.own_project if name}
        if job.foreign and branch and branch == job.branch and project.lower() in own:
            raise Refused(
                f"{branch} is the branch of merge request {job.sign} in a fork, to which this job cannot write; a"
                " branch of this name here is not that branch. Review the merge request, or use another name."
            )

    def check_merge(self, branch: str, paths: Callable[[], Iterable[str]], default_branch: Callable[[], str]) -> None:
        """Raise Refused if this run may not merge changes of `paths` into `branch`."""
        if not self.settings.in_ci:
            return
        if not self.settings.allow_default_branch and branch == default_branch():
            raise Refused(
                f"In CI nothing is merged into {branch}, the default branch: leave that to a person. A maintainer can"
                " allow this with --allow-default-branch."
            )
        self._check_files(paths())

    def check_rebase(self, branch: str, default_branch: Callable[[], str]) -> None:
        """Raise Refused if this run may not rewrite `branch`."""
        if self.settings.in_ci:
            self._check_repository_write(branch, (), default_branch)

    def covers(self, project: str, path: str, *, writes: bool) -> bool:
        """Whether the request `path` about `project` (a path or an id) is allowed."""
        allowed = self.allowed_projects()
        if not allowed or project.lower() in allowed:
            return True
        merge_request = self.settings.merge_request
        if merge_request is None or project != merge_request.project_id:
            return False
        # A pipeline of a fork's merge request runs in the fork: that merge request may be read, and commented on.
        pattern = rf"/projects/{merge_request.project_id}(/merge_requests/{merge_request.iid}(/(?P<rest>.*))?)?"
        match = re.fullmatch(pattern, path)
        return match is not None and (
            not writes or re.match(r"notes|discussions|draft_notes", match["rest"] or "") is not None
        )

    def allowed_projects(self) -> tuple[str, ...]:
        """The paths and ids of the projects to which the run is restricted, in lower case; () for no restriction."""
        settings = self.settings
        if not settings.in_ci and not settings.allow_projects:
            return ()
        return tuple(name.lower() for name in (*settings.own_project, *settings.allow_projects) if name)

    def _check_secrets(self, body: Mapping[str, object]) -> None:
        text = json.dumps(body, ensure_ascii=False, default=str)
        actions = body.get("actions")
        contents = [_bytes(action) for action in actions] if isinstance(actions, list) else []

        def is_in(secret: str) -> bool:
            # JSON escapes quotes, backslashes and line breaks, so the secret is looked for in the same form.
            in_json = json.dumps(secret, ensure_ascii=False)[1:-1]
            return in_json in text or any(secret.encode() in content for content in contents)

        self._refuse_secrets(is_in)

    def _refuse_secrets(self, is_in: Callable[[str], bool]) -> None:
        """Raise Refused, with the name of its variable, for a secret that is in what is to be sent."""
        settings = self.settings
        for secret in settings.secret_values:
            if is_in(secret) and not is_public.get()(secret):
                name = settings.credentials.get(secret) or settings.secret_variables.get(secret, "")
                may_except = name and secret not in settings.credentials and not CREDENTIAL_VARIABLE.match(name)
                advice = (
                    f" If it is not secret, a maintainer can allow it with --not-secret {name}." if may_except else ""
                )
                secret_of_run = f"a secret of this run{f', {name}' if name else ''}"
                raise Refused(
                    f"The text contains the value of {secret_of_run}: nothing was sent. Leave the secret out.{advice}"
                )

    def _check_repository_write(self, branch: str, paths: Iterable[str], default_branch: Callable[[], str]) -> None:
        if not self.settings.allow_default_branch and branch == default_branch():
            raise Refused(
                f"In CI nothing is written to {branch}, the default branch: commit to another one and open a merge"
                " request. A maintainer can allow this with --allow-default-branch."
            )
        self._check_files(paths)

    def _check_files(self, paths: Iterable[str]) -> None:
        for path in paths:
            if path and self.guards(path):
                raise Refused(
                    f"In CI {path} is not written: such files run in pipelines, decide who approves, or instruct"
                    f' agents. A maintainer can allow this with --allow-files "{path}".'
                )

    def guards(self, path: str) -> bool:
        """Whether `path` is a guarded file, in any letter case or Unicode form, that --allow-files does not allow."""
        allowed = GitIgnoreSpec.from_lines(self.settings.allow_files)
        return GUARDED_FILES.match_file(normalized_path(path)) and not allowed.match_file(path)

    def remarks(self, branch: str, paths: Iterable[str], default_branch: str) -> list[str]:
        """Notes on a commit that was made: that it is on the default branch, and which guarded files it changes."""
        notes = [f"Note: {branch} is the default branch."] if branch == default_branch else []
        guarded = [path for path in paths if self.guards(path)]
        verbs = ("run", "decide", "instruct") if len(guarded) > 1 else ("runs", "decides", "instructs")
        if guarded:
            names = ", ".join(guarded[:10])
            notes.append(f"Note: {names} {verbs[0]} in pipelines, {verbs[1]} who approves, or {verbs[2]} agents.")
        return notes


def other_project(settings: Settings) -> str:
    """That the configured project is none to which the run is restricted, so that calls fail; "" where it is one."""
    policy = Policy(settings)
    project = settings.project
    if not project or policy.covers(project, f"/projects/{project}", writes=False):
        return ""
    return (
        f"The configured project is {quoted_line(project, 255)}, and this run is restricted to"
        f" {', '.join(policy.allowed_projects())}: every call that gives no other project fails"
    )


def _bytes(action: Mapping[str, object]) -> bytes:
    content = str(action.get("content") or "")
    return base64.b64decode(content) if action.get("encoding") == "base64" else content.encode()


def normalized_path(path: str) -> str:
    """A path without the differences that some file systems ignore.

    These are letter case, Unicode form, invisible characters, backslashes, and spaces and dots at the end of a name.
    """
    folded = unicodedata.normalize("NFKC", path).casefold()
    visible = "".join(character for character in folded if unicodedata.category(character) not in ("Cf", "Cc", "Mn"))
    return "/".join(part.rstrip(" .") for part in visible.replace("\\", "/").split("/"))


def project_of(path: str) -> str | None:
    """The project that a path below /api/v4 is about, decoded; None for a path about something else."""
    match = re.match(r"/projects/([^/]+)", urlsplit(path).path)
    return unquote(match[1]) if match else None
