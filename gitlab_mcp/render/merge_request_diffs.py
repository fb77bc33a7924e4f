"""What a merge request changes, as an agent reads it: lines with the numbers that a review takes, in pages."""

from collections.abc import Iterator, Mapping, Sequence

from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.reviews.diff import ChangedFile
from gitlab_mcp.api.reviews.submit import Outcome
from gitlab_mcp.render.diffs import DIFF_LINE_BYTES, LINE_READ, UNLISTED, files_counted
from gitlab_mcp.render.markdown import count, cut
from gitlab_mcp.render.pagination import fenced_rows, page_of
from gitlab_mcp.safety.sanitize import escape_invisible, escape_invisible_in_lines, one_line

UNENDED = "\\ No newline at end of file"  # as git says it
NAMED_BYTES = 3_000
CALL = "get_merge_request_diff"
LEGEND = "Before each line is its number in the new file; before - in the old one (side old)."


def file_row(file: ChangedFile) -> str:
    """A changed file in a list."""
    before = f"renamed from {one_line(file.old_path, 300)}" if file.entity.flag("renamed_file") else ""
    status = "new" if file.entity.flag("new_file") else "deleted" if file.entity.flag("deleted_file") else before
    told = ", ".join(mark for mark in (status, file.kind) if mark)
    lines = f" +{file.added} -{file.removed}" if file.hunks else ""
    return f"{one_line(file.path, 300)}{lines}{f' ({told})' if told else ''}"


def file_names(
    merge_request: Entity, files: Sequence[ChangedFile], page: int, given: Mapping[str, object], *, is_whole: bool
) -> str:
    """A page of the names of changed files; `is_whole` is whether GitLab listed all that there are."""
    title = _title(merge_request, files, is_whole=is_whole)
    return page_of(title, "" if is_whole else UNLISTED, map(file_row, files), page, CALL, {**given, "names_only": True})


def diff(
    merge_request: Entity,
    files: Sequence[ChangedFile],
    shown: Sequence[ChangedFile],
    page: int,
    given: Mapping[str, object],
    *,
    is_whole: bool,
) -> str:
    """A page of the hunks of the files that are `shown`, of all the `files` that were chosen.

    `is_whole` is whether GitLab listed all that there are.
    """
    told = {file.path for file in shown}
    left = [file for file in files if file.path not in told]
    about = [LEGEND] if shown else []
    if left and page == 1:
        named = ", ".join(f"{one_line(file.path, 300)} ({file.kind})" for file in left)
        reads = f"get_file with ref {_head(merge_request)} the others"
        advice = f"paths with the whole name shows what GitLab has of one, {reads}"
        listed = cut(named, NAMED_BYTES, "names_only lists them all")
        about.append(f"Not shown, {count(len(left), 'file')} ({advice}): {listed}")
    if not is_whole:
        about.append(UNLISTED)
    title = _title(merge_request, files, is_whole=is_whole)
    pieces = (piece for file in shown for piece in fenced_rows(file_row(file), one_line(file.path, 300), _rows(file)))
    return page_of(title, "\n".join(about), pieces, page, CALL, given)


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
            yield cut(f"{line.number}{line.mark}{next(shown)}", DIFF_LINE_BYTES, LINE_READ)
            if line.is_unended:
                yield UNENDED


VERDICT_WORDS = {"comment": "", "approve": ", approved", "request_changes": ", changes requested"}
SHOWN = 400


def reviewed(merge_request: Entity, outcome: Outcome, verdict: str, misplaced: Sequence[str], url: str) -> str:
    """What was posted and where, what was not and why."""
    there = len(outcome.notes)
    again = f" ({outcome.existed} of them already there)" if outcome.existed else ""
    done = "" if outcome.remarks and verdict == "request_changes" else VERDICT_WORDS[verdict]
    head = (
        f"Reviewed !{merge_request.number('iid')} at {merge_request.sha('sha')[:12]}: {count(there, 'comment')}{again}"
    )
    lines = [f"{head}{done}.", url]
    lines += [f"n{number} {where}" for where, number in outcome.notes]
    if refused := [*misplaced, *outcome.refused]:
        lines += ["Not posted:", *(one_line(each, SHOWN) for each in refused)]
    return "\n".join([*lines, *(one_line(remark, SHOWN) for remark in outcome.remarks)])
