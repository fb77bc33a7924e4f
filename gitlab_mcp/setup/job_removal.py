"""Taking a merged job out again: each file as it was before, or only the include where others edited the file since."""

from collections.abc import Mapping
from typing import Any

from gitlab_mcp.setup.ci_file import read_ci_file, without_include
from gitlab_mcp.setup.job_files import RULES_FILE, TEMPLATES_FOLDER, JobFiles, configuration_path, text_at
from gitlab_mcp.setup.own_files import TEMPLATES
from gitlab_mcp.setup.proposal import digest
from gitlab_mcp.setup.step import SetupContext


def restorable(setup: SetupContext, files: JobFiles, record: Mapping[str, Any]) -> dict[str, Any]:
    """What the record of a setup keeps of its files: the checksum of each, and the commit at which it was as before.

    A later setup keeps the first commit, unless somebody edited the file in between.
    """
    written = dict(record.get("written", {}))
    base = setup.repository.branch(setup.facts.default_branch).text("commit", "id")
    for path, text in files.changed.items():
        old, existing = written.get(path), files.existing[path]
        kept = isinstance(old, dict) and existing is not None and old["sha256"] == digest(existing)
        written[path] = {"sha256": digest(text), "before": old["before"] if old and kept else base}
        if old and not kept and read_ci_file(existing or "").include is not None:
            written[path]["before"] = ""  # edited since: only the include can be taken out
    return {"written": written}


def removed_files(setup: SetupContext, record: Mapping[str, Any]) -> dict[str, str | None]:
    """The files that change when the job is taken out, None for one that is deleted; {} where there is no job.

    Raises CannotEdit where the include cannot be removed by itself.
    """
    default, path = setup.facts.default_branch, configuration_path(setup)
    text = text_at(setup, path, default)
    if text is None or read_ci_file(text).include is None:
        return {}
    written = record.get("written", {})
    files: dict[str, str | None] = {}
    if (before := _commit_before(written, path, text)) is not None:
        files[path] = text_at(setup, path, before)
    else:
        rest = without_include(text)
        files[path] = rest if read_ci_file(rest).jobs else None
    rules = text_at(setup, RULES_FILE, default)
    if rules is not None and _commit_before(written, RULES_FILE, rules) is not None:
        files[RULES_FILE] = None
    for name in TEMPLATES:
        if text_at(setup, f"{TEMPLATES_FOLDER}/{name}.yml", default) is not None:
            files[f"{TEMPLATES_FOLDER}/{name}.yml"] = None
    return files


def _commit_before(written: Mapping[str, Any], path: str, text: str) -> str | None:
    """The commit at which a file was as before setup; None where it is not as setup wrote it, or that is not known."""
    entry = written.get(path)
    if not isinstance(entry, dict) or entry.get("sha256") != digest(text):
        return None
    return str(entry.get("before") or "") or None
