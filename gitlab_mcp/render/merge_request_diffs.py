"""Render the diff of a merge request, in pages, with the line numbers that a review takes, and submitted reviews."""

from collections.abc import Iterator, Mapping, Sequence

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.reviews.diff import ChangedFile
from gitlab_mcp.api.reviews.submit import Outcome
from gitlab_mcp.errors import naming
from gitlab_mcp.render.diffs import DIFF_LINE_BYTES, cut_line, files_counted, not_listed
from gitlab_mcp.render.markdown import count, cut
from gitlab_mcp.render.pagination import fenced_rows, page_of
from gitlab_mcp.render.user_text import mention
from gitlab_mcp.safety.sanitize import escape_invisible, escape_invisible_in_lines, one_line
from gitlab_mcp.safety.write_back import EDIT_CODE, not_as_stored

NO_NEWLINE = "\\ No newline at end of file"  # as git writes it
NAMED_BYTES = 3_000
CALL = "get_merge_request_diff"
LEGEND = "Before each line is its number in the new file; before - in the old one (side old)."


def file_row(file: ChangedFile) -> str:
    """Render a changed file in a list."""
    before = f"renamed from {one_line(file.old_path, 300)}" if file.entity.flag("renamed_file") else ""
    status = "new" if file.entity.flag("new_file") else "deleted" if file.entity.flag("deleted_file") else before
    marks = ", ".join(mark for mark in (status, one_line(file.mode_change, 300), file.kind) if mark)
    lines = f" +{file.added} -{file.removed}" if file.hunks else ""
    return f"{one_line(file.path, 300)}{lines}{f' ({marks})' if marks else ''}"


def file_names(
    merge_request: Entity, files: Sequence[ChangedFile], page: int, arguments: Mapping[str, object], *, is_whole: bool
) -> str:
    """Render a page of the names of changed files; `is_whole` is whether GitLab listed all of them."""
    title = _title(merge_request, files, is_whole=is_whole)
    about = "" if is_whole else not_listed()
    return page_of(title, about, map(file_row, files), page, CALL, {**arguments, "names_only": True})


def diff(
    merge_request: Entity,
    files: Sequence[ChangedFile],
    shown: Sequence[ChangedFile],
    page: int,
    arguments: Mapping[str, object],
    *,
    is_whole: bool,
) -> str:
    """Render a page of the hunks of the files that are `shown`; the other ones of `files` are only named.

    `is_whole` is whether GitLab listed all changed files.
    """
    shown_paths = {file.path for file in shown}
    left = [file for file in files if file.path not in shown_paths]
    about = [LEGEND] if shown else []
    if left and page == 1:
        names = ", ".join(f"{one_line(file.path, 300)} ({file.kind})" for file in left)
        others = naming(f", {{}} with ref {_head(merge_request)} reads the others", "get_file")
        advice = f"paths with the whole name shows the hunks that GitLab has of one{others}"
        listed = cut(names, NAMED_BYTES, "names_only lists them all")
        about.append(f"Not shown, {count(len(left), 'file')} ({advice}): {listed}")
    if not is_whole:
        about.append(not_listed())
    title = _title(merge_request, files, is_whole=is_whole)
    rows = [(file, list(_rows(file))) for file in shown]
    code = (("\n".join(line.text for line in file.lines), "\n".join(of_file)) for file, of_file in rows)
    about.append(not_as_stored(code=code, advice=EDIT_CODE))
    pieces = (
        piece for file, of_file in rows for piece in fenced_rows(file_row(file), one_line(file.path, 300), of_file)
    )
    return page_of(title, "\n".join(filter(None, about)), pieces, page, CALL, arguments)


def _title(merge_request: Entity, files: Sequence[ChangedFile], *, is_whole: bool) -> str:
    added, removed = sum(file.added for file in files), sum(file.removed for file in files)
    changed = f"{files_counted(len(files), is_whole=is_whole)} +{added} -{removed}"
    return f"# !{merge_request.number('iid')} at {_head(merge_request) or 'no commit'}: {changed}"


def _head(merge_request: Entity) -> str:
    return (merge_request.sha("diff_refs", "head_sha") or merge_request.sha("sha"))[:12]


def _rows(file: ChangedFile) -> Iterator[str]:
    shown = iter(escape_invisible_in_lines([line.text for line in file.lines]))
    for hunk in file.hunks:
        yield cut(escape_invisible(hunk.heading), DIFF_LINE_BYTES)
        for line in hunk.lines:
            yield cut_line(f"{line.number}{line.mark}{next(shown)}")
            if line.is_unended:
                yield NO_NEWLINE


VERDICT_WORDS = {"comment": "", "approve": ", approved", "request_changes": ", changes requested"}
REMARK_CHARACTERS = 400


def reviewed(merge_request: Entity, outcome: Outcome, verdict: str, misplaced: Sequence[str], url: str) -> str:
    """Render the answer of review_merge_request: the comments that were posted, and those that were not and why."""
    comments = count(len(outcome.notes), "comment")
    again = f" ({outcome.existed} of them already posted)" if outcome.existed else ""
    decision = "" if outcome.remarks and verdict == "request_changes" else VERDICT_WORDS[verdict]
    head = f"Reviewed !{merge_request.number('iid')} at {merge_request.sha('sha')[:12]}: {comments}{again}"
    return _outcome(
        f"{head}{decision}.\n{url}", [f"n{number} {where}" for where, number in outcome.notes], outcome, misplaced
    )


def drafted(merge_request: Entity, outcome: Outcome, misplaced: Sequence[str], url: str, user: Entity) -> str:
    """Render the answer of review_merge_request that left drafts, and where `user`, who alone sees them, finds them."""
    drafts = count(len(outcome.notes), "draft")
    again = f", {outcome.existed} more posted already" if outcome.existed else ""
    head = f"Not submitted: {drafts} on !{merge_request.number('iid')} at {merge_request.sha('sha')[:12]}{again}."
    where = f"Only {mention(user.text('username'))} sees them, and publishes them there with Finish review:\n{url}"
    return _outcome(f"{head} {where}", [where for where, _ in outcome.notes], outcome, misplaced)


def _outcome(head: str, rows: Sequence[str], outcome: Outcome, misplaced: Sequence[str]) -> str:
    """Render the comments of a review, the ones that were not posted, and the remarks."""
    lines = [head, *rows]
    if refused := [*misplaced, *outcome.refused]:
        lines += ["Not posted:", *(one_line(reason, REMARK_CHARACTERS) for reason in refused)]
    return "\n".join([*lines, *(one_line(remark, REMARK_CHARACTERS) for remark in outcome.remarks)])
