"""Reads back what a journey changed on GitLab, with plain HTTP and plain git, and compares it with the plan."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from gitlab_mcp.cli.demo.maintainer import Maintainer
from gitlab_mcp.cli.demo.plain_git import git
from gitlab_mcp.cli.demo.plan import Plan


class ReadBack:
    """Compares the project's branches, merge requests and notes with those when this object was created."""

    def __init__(self, maintainer: Maintainer) -> None:
        self._maintainer = maintainer
        self._branches = maintainer.branches()
        self._merge_requests = self._iids("merge_requests")
        self._notes = self._all_notes()

    def check(self, plan: Plan, blob_ids: Mapping[str, str], notes: Mapping[str, str], author: str = "") -> list[str]:
        """Print the merge request and its commit; returns a line for each deviation from the plan.

        `blob_ids` are the expected blobs of the files, by path. `notes` are the bodies of the only new notes that are
        expected, by "issue" and "merge request". `author` is the expected author of the commit, "" for any.
        """
        click.secho("\nThe merge request, by plain HTTP:", bold=True)
        opened = self._merge_requests_from(plan.branch, "opened")
        if len(opened) != 1:
            return [f"{len(opened)} open merge requests from {plan.branch}, not 1"]
        iid, target = opened[0]["iid"], opened[0]["target_branch"]
        click.echo(f"   !{iid} {opened[0]['title']} ({opened[0]['state']})\n   {opened[0]['web_url']}")
        closes = [str(issue["iid"]) for issue in self._maintainer.get(f"/merge_requests/{iid}/closes_issues")]
        click.echo(f"   closes: {', '.join(f'#{issue}' for issue in closes) or 'nothing'}")
        wrong = [] if closes == [plan.issue] else [f"the merge request closes {closes}, not #{plan.issue}"]
        wrong += self._check_notes({"issue": f"/issues/{plan.issue}", "merge request": f"/merge_requests/{iid}"}, notes)
        return wrong + self._check_commit(target, plan, blob_ids, author)

    def check_unchanged(self, plan: Plan) -> list[str]:
        """Print the changes after a refused push, of which there should be none; returns a line for each."""
        click.secho("\nChanges, by plain HTTP and git:", bold=True)
        branches, created = self._maintainer.branches(), self._iids("merge_requests") - self._merge_requests
        moved = [name for name, tip in branches.items() if self._branches.get(name) != tip]
        moved += [f"{name} (gone)" for name in self._branches if name not in branches]
        notes = set(self._all_notes()) - set(self._notes)
        wrong = []
        for kind, names in (
            ("branch", [plan.branch] if plan.branch in branches else []),
            ("change of another branch", [name for name in moved if name != plan.branch]),
            ("merge request", [f"!{iid}" for iid in sorted(created)]),
            ("note", sorted(notes)),
        ):
            click.echo(f"   {kind}: {', '.join(map(str, names)) or 'none'}")
            wrong += [f"the push was refused, and yet there is a {kind}: {name}" for name in names]
        return wrong

    def _check_notes(self, paths: Mapping[str, str], expected: Mapping[str, str]) -> list[str]:
        new = {key: note for key, note in self._all_notes().items() if key not in self._notes}
        click.echo(f"   notes written: {len(new) or 'none'}")
        wrong = []
        for noun, body in expected.items():
            matching = [note for note in new.values() if note == (paths[noun], body)]
            if len(matching) != 1:
                wrong.append(f"{paths[noun]} has the note {len(matching)} times, not once")
            new = {key: note for key, note in new.items() if note not in matching}
        return wrong + [f"there is an unexpected note on {path}: {body}" for path, body in new.values()]

    def _check_commit(self, target: str, plan: Plan, blob_ids: Mapping[str, str], author: str) -> list[str]:
        click.secho("\nThe commit, by plain git clone:", bold=True)
        with tempfile.TemporaryDirectory(prefix="gitlab-mcp-demo-") as folder:
            clone = Path(folder) / "clone"
            self._maintainer.clone(clone, "--no-checkout")
            branch = f"origin/{plan.branch}"
            shown = git("-C", str(clone), "log", "-1", "--stat", branch)
            click.echo("\n".join(f"   {line}" for line in shown.rstrip().split("\n")))
            actual_author = git("-C", str(clone), "log", "-1", "--format=%an <%ae>", branch).strip()
            arguments = ("--no-renames", "--name-status", "-z", f"origin/{target}...{branch}")
            fields = git("-C", str(clone), "diff", *arguments).split("\0")
            changes = set(zip(fields[1::2], fields[0::2], strict=False))
            kept = sorted(path for path, kind in plan.changes & changes if kind != "D")
            blobs = {path: git("-C", str(clone), "rev-parse", f"{branch}:{path}").strip() for path in kept}
        wrong = [] if changes == plan.changes else [f"the branch changes {sorted(changes)}, not {sorted(plan.changes)}"]
        wrong += [f"{path} does not have the planned content" for path in kept if blobs[path] != blob_ids[path]]
        if author not in ("", actual_author):
            wrong.append(f"the author of the commit is {actual_author}, not {author}")
        return wrong

    def _merge_requests_from(self, branch: str, state: str) -> list[Any]:
        return list(self._maintainer.get(f"/merge_requests?source_branch={quote(branch, safe='')}&state={state}"))

    def _iids(self, noun: str) -> set[int]:
        return {int(entity["iid"]) for entity in self._maintainer.get(f"/{noun}?state=all&scope=all&per_page=100")}

    def _all_notes(self) -> dict[int, tuple[str, str]]:
        """The newest hundred user notes of each issue and merge request: API path and body, by the note's id."""
        notes = {}
        for noun in ("issues", "merge_requests"):
            for iid in sorted(self._iids(noun)):
                for note in self._maintainer.get(f"/{noun}/{iid}/notes?sort=desc&per_page=100"):
                    if not note["system"]:
                        notes[int(note["id"])] = (f"/{noun}/{iid}", str(note["body"]))
        return notes
