"""What GitLab holds before and after a journey, by plain HTTP and plain git."""

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
    """Holds what is there against what was there when this was made."""

    def __init__(self, maintainer: Maintainer) -> None:
        self._maintainer = maintainer
        self._branches = maintainer.branches()
        self._merge_requests = self._iids("merge_requests")
        self._notes = self._all_notes()

    def check(self, plan: Plan, contents: Mapping[str, str], notes: Mapping[str, str], author: str = "") -> list[str]:
        """Print what is there; what is not as it should be, a line each.

        `contents` are the ids of the blobs that files should be, `notes` what should be said on the issue and on the
        merge request and nowhere else anything; `author` is the commit's, where that is known.
        """
        click.secho("\nThe merge request, by plain HTTP:", bold=True)
        found = self._from(plan.branch, "opened")
        if len(found) != 1:
            return [f"{len(found)} open merge requests from {plan.branch}, not 1"]
        iid, target = found[0]["iid"], found[0]["target_branch"]
        click.echo(f"   !{iid} {found[0]['title']} ({found[0]['state']})\n   {found[0]['web_url']}")
        closes = [str(each["iid"]) for each in self._maintainer.get(f"/merge_requests/{iid}/closes_issues")]
        click.echo(f"   closes: {', '.join(f'#{each}' for each in closes) or 'nothing'}")
        wrong = [] if closes == [plan.issue] else [f"the merge request closes {closes}, not #{plan.issue}"]
        wrong += self._check_notes({"issue": f"/issues/{plan.issue}", "merge request": f"/merge_requests/{iid}"}, notes)
        return wrong + self._check_commit(target, plan, contents, author)

    def check_unchanged(self, plan: Plan) -> list[str]:
        """Print that nothing of the plan was done; what was, a line each."""
        click.secho("\nWhat was done, by plain HTTP and git:", bold=True)
        branches, made = self._maintainer.branches(), self._iids("merge_requests") - self._merge_requests
        moved = [name for name, tip in branches.items() if self._branches.get(name) != tip]
        moved += [f"{name} (gone)" for name in self._branches if name not in branches]
        notes = set(self._all_notes()) - set(self._notes)
        wrong = []
        for what, found in (
            ("branch", [plan.branch] if plan.branch in branches else []),
            ("change of another branch", [name for name in moved if name != plan.branch]),
            ("merge request", [f"!{iid}" for iid in sorted(made)]),
            ("note", sorted(notes)),
        ):
            click.echo(f"   {what}: {', '.join(map(str, found)) or 'none'}")
            wrong += [f"the push was refused, and yet there is a {what}: {each}" for each in found]
        return wrong

    def _check_notes(self, where: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
        new = {key: note for key, note in self._all_notes().items() if key not in self._notes}
        click.echo(f"   notes written: {len(new) or 'none'}")
        wrong = []
        for what, body in wanted.items():
            times = [note for note in new.values() if note == (where[what], body)]
            if len(times) != 1:
                wrong.append(f"{where[what]} has the note {len(times)} times, not once")
            new = {key: note for key, note in new.items() if note not in times}
        return wrong + [
            f"there is a note that nobody meant to write, on {place}: {body}" for place, body in new.values()
        ]

    def _check_commit(self, target: str, plan: Plan, contents: Mapping[str, str], author: str) -> list[str]:
        click.secho("\nThe commit, by plain git clone:", bold=True)
        with tempfile.TemporaryDirectory(prefix="gitlab-mcp-demo-") as folder:
            clone = Path(folder) / "clone"
            self._maintainer.clone(clone)
            branch = f"origin/{plan.branch}"
            shown = git("-C", str(clone), "log", "-1", "--stat", branch)
            click.echo("\n".join(f"   {line}" for line in shown.rstrip().split("\n")))
            by = git("-C", str(clone), "log", "-1", "--format=%an <%ae>", branch).strip()
            what = ("--no-renames", "--name-status", "-z", f"origin/{target}...{branch}")
            fields = git("-C", str(clone), "diff", *what).split("\0")
            changes = set(zip(fields[1::2], fields[0::2], strict=False))
            kept = sorted(path for path, kind in plan.changes & changes if kind != "D")
            blobs = {path: git("-C", str(clone), "rev-parse", f"{branch}:{path}").strip() for path in kept}
        wrong = [] if changes == plan.changes else [f"the branch changes {sorted(changes)}, not {sorted(plan.changes)}"]
        wrong += [f"{path} has other content than was meant" for path in kept if blobs[path] != contents[path]]
        return wrong + ([f"the commit is {by}'s, not {author}'s"] if author not in ("", by) else [])

    def _from(self, branch: str, state: str) -> list[Any]:
        return list(self._maintainer.get(f"/merge_requests?source_branch={quote(branch, safe='')}&state={state}"))

    def _iids(self, noun: str) -> set[int]:
        return {int(one["iid"]) for one in self._maintainer.get(f"/{noun}?state=all&scope=all&per_page=100")}

    def _all_notes(self) -> dict[int, tuple[str, str]]:
        """Where and what people wrote, by the note's id; of each issue and merge request the newest hundred."""
        found = {}
        for noun in ("issues", "merge_requests"):
            for iid in sorted(self._iids(noun)):
                for note in self._maintainer.get(f"/{noun}/{iid}/notes?sort=desc&per_page=100"):
                    if not note["system"]:
                        found[int(note["id"])] = (f"/{noun}/{iid}", str(note["body"]))
        return found
