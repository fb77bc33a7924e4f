"""The commands in a shell script, word by word, without running anything."""

import re
from collections.abc import Iterator

SHELL_TOKEN = re.compile(
    r"""
    (?P<end> [\n;|()`] | &(?!>) )
    | (?P<redirect> &?[<>]+[&|-]? )
    | (?P<blank> [ \t\r]+ | \\\n )
    | (?P<comment> (?<![^\s;&|()`]) \#[^\n]* )
    | '(?P<single> [^']* )'
    | "(?P<double> [^"\\]*(?:\\.[^"\\]*)* )"
    | \\(?P<escaped> . )
    | (?P<plain> [^\s;&|()`<>'"\\]+ )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
# Text that is given to a command in the lines below it.
HERE = re.compile(r"""(?<!<)<<-?[ \t]*(["']?)([A-Za-z_]\w*)\1""")


def commands(script: str) -> Iterator[list[str]]:
    """The words of each command, without quotes; variables in them stay as they are written.

    What follows a quote that is not closed is passed over.
    """
    words: list[str] = []
    word: str | None = None
    redirected = False
    for piece in SHELL_TOKEN.finditer(_without_here_texts(script) + "\n"):
        kind = piece.lastgroup or ""
        if kind in ("end", "redirect", "blank", "comment"):
            if word is not None:
                words += [] if redirected else [word]
                redirected = False
            word = None
            if kind == "redirect":
                redirected = True
            elif kind == "end":
                if words:
                    yield words
                words, redirected = [], False
        elif kind == "other":
            return
        else:
            found = piece[kind]
            word = (word or "") + (re.sub(r'\\(\n|["\\$`])', _kept, found) if kind == "double" else found)


def _kept(match: re.Match[str]) -> str:
    return match[1].strip("\n")


def _without_here_texts(script: str) -> str:
    lines = script.split("\n")
    last = {line.strip(): number for number, line in enumerate(lines)}
    kept: list[str] = []
    until: list[str] = []
    for number, line in enumerate(lines):
        if until:
            until = until[1:] if line.strip() == until[0] else until
            continue
        kept.append(line)
        until = [name for _, name in HERE.findall(line) if last.get(name, -1) > number]
    return "\n".join(kept)
