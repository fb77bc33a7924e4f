"""Files of the checkout: the job that runs claude, and what claude obeys without asking."""

import re
from pathlib import Path

from gitlab_mcp.doctor.surroundings import Surroundings
from gitlab_mcp.doctor.verdict import Check, Verdict, passed, unknown, warned

FILE_BYTES = 1_000_000
OBEYED = (".mcp.json", ".claude/settings.json", ".claude/settings.local.json")

CLAUDE = re.compile(r"""(?<![\w./@-])claude(?=\s+(?:--?\w|\\\n|["'$]))""")
# The option takes names up to the next option, on as many lines as it likes.
ALLOWED = re.compile(r"--allowed-?tools\b(?:(?!\s--\w).){0,2000}?mcp__gitlab", re.IGNORECASE | re.DOTALL)
ALL = re.compile(r"mcp__gitlab(?!__\w)")
ADD = 'Add it: --allowedTools "Bash(*) Read(*) Edit(*) Write(*) mcp__gitlab"'


def allowed(around: Surroundings) -> Verdict | None:
    path = around.checkout / ".gitlab-ci.yml"
    text = _text(path)
    if text is None:
        if not around.in_ci:
            return None
        what = "whether the job allows claude the tools: there is no .gitlab-ci.yml here"
        return unknown(what, f"Look at the line that runs claude. {ADD}")
    text = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
    if ALLOWED.search(text):
        only = "" if ALL.search(text) else " (some of them, by name)"
        return passed(f"The .gitlab-ci.yml here allows claude the tools of mcp__gitlab{only}")
    if CLAUDE.search(text) and "mcp__gitlab" not in text:
        return warned("The .gitlab-ci.yml here runs claude without mcp__gitlab in its --allowedTools", ADD)
    what = "whether the job allows claude the tools: the .gitlab-ci.yml here does not run it itself"
    return unknown(what, f"Look at the line that runs claude. {ADD}")


def obeyed(around: Surroundings) -> Verdict | None:
    found = [name for name in OBEYED if (around.checkout / name).is_file()]
    if not found:
        return None
    return warned(
        f"The checkout holds {', '.join(found)}: claude starts the servers and runs the hooks in them without asking,"
        " with the whole environment of the job, also when they come from a merge request",
        "Run claude with --setting-sources user, and give it CLAUDE.md by --append-system-prompt.",
    )


def _text(path: Path) -> str | None:
    try:
        if not path.is_file():
            return None
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(FILE_BYTES)
    except OSError:
        return None


CHECKS = (
    Check("allowed-tools", "whether the job allows claude the tools", allowed),
    Check("obeyed-files", "which files of the checkout claude obeys", obeyed),
)
