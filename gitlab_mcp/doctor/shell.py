"""Splits a shell script into commands and words, without running it."""

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
HERE_DOCUMENT = re.compile(r"""(?<!<)<<-?[ \t]*(["']?)([A-Za-z_]\w*)\1""")


def commands(script: str) -> Iterator[list[str]]:
    """Yield the words of each command, without quotes; variables are not expanded.

    The text after a quote that is not closed is ignored.
    """
    words: list[str] = []
    word: str | None = None
    redirected = False
    for piece in SHELL_TOKEN.finditer(_without_here_documents(script) + "\n"):
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
            text = piece[kind]
            word = (word or "") + (re.sub(r'\\(\n|["\\$`])', _unescaped, text) if kind == "double" else text)


def _unescaped(match: re.Match[str]) -> str:
    return match[1].strip("\n")


def _without_here_documents(script: str) -> str:
    lines = script.split("\n")
    last = {line.strip(): number for number, line in enumerate(lines)}
    kept: list[str] = []
    delimiters: list[str] = []
    for number, line in enumerate(lines):
        if delimiters:
            delimiters = delimiters[1:] if line.strip() == delimiters[0] else delimiters
            continue
        kept.append(line)
        delimiters = [name for _, name in HERE_DOCUMENT.findall(line) if last.get(name, -1) > number]
    return "\n".join(kept)
