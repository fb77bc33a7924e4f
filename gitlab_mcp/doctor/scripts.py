"""Extracts the scripts from a .gitlab-ci.yml that is written in the usual styles of YAML.

Other styles, such as a job in braces, are ignored: a script may be missed, but none is invented.
"""

import re
from collections.abc import Iterator

KEYS = ("script", "before_script", "after_script", "pre_get_sources_script")

KEY = re.compile(r"""("[^"]*"|'[^']*'|[^\s"'#&*!|>%@`{}\[\],](?:[^:#]|:(?=\S)|(?<=\S)#)*?):(?:\s+|$)""")
DASH = re.compile(r"-(?:\s+|$)")
YAML_ANCHORS = re.compile(r"(?:&\S+(?:\s+|$))+")
BLOCK = re.compile(r"([|>])[-+0-9]{0,2}\s*(?:#.*)?$")
COMMENT = re.compile(r"(?:^|\s)#.*$")
# The rest of a quoted text after its opening quote.
QUOTED = {'"': re.compile(r'([^"\\]*(?:\\.[^"\\]*)*)"'), "'": re.compile(r"([^']*(?:''[^']*)*)'(?!')")}
ITEM = re.compile(r""""([^"\\]*(?:\\.[^"\\]*)*)"|'([^']*(?:''[^']*)*)'|([^\s,\[\]][^,\[\]]*)""")
ESCAPES = {"n": "\n", "t": "\t", "0": "\0"}


def scripts(text: str) -> Iterator[str]:
    """Yield each script, or item of one, as the shell gets it; also those of hidden keys, such as `.run`."""
    lines = _Lines(text)
    keys: list[tuple[int, str]] = []
    while (line := lines.next()) is not None:
        column = floor = _indent(line)
        while dash := DASH.match(line, column):
            while keys and keys[-1][0] > column:  # the items of a list may have the same indentation as its key
                keys.pop()
            floor, column = column, dash.end()
        rest = line[column:]
        if key := KEY.match(rest):
            while keys and keys[-1][0] >= column:
                keys.pop()
            keys.append((column, key[1].strip("\"' ")))
            floor, rest = column, rest[key.end() :]
        if anchors := YAML_ANCHORS.match(rest):
            rest = rest[anchors.end() :]
        scalars = list(_scalars(rest, floor, lines))
        if keys and (keys[-1][1] in KEYS or keys[-1][1].startswith(".")):
            yield from scalars


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


class _Lines:
    """A cursor over the lines of a file."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._at = 0

    def next(self) -> str | None:
        """The next line that is not blank and not only a comment; None at the end."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if line.strip() and not line.lstrip().startswith("#") and not line.startswith(("---", "...")):
                return line
        return None

    def deeper(self, floor: int, *, blank: bool) -> Iterator[str]:
        """Yield the following lines that are indented more than `floor`, with `blank` also the blank ones between."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if not (blank if not line.strip() else _indent(line) > floor):
                return
            self._at += 1
            yield line


def _scalars(rest: str, floor: int, lines: _Lines) -> Iterator[str]:
    """Yield the scalars that begin with `rest`, below a key or dash in column `floor`."""
    if not rest or rest[0] in "!*{#":
        return
    if block := BLOCK.match(rest):
        body = list(lines.deeper(floor, blank=True))
        indent = next((_indent(line) for line in body if line.strip()), 0)
        body = [line[indent:] for line in body]
        yield _folded(body) if block[1] == ">" else "\n".join(body)
    elif rest[0] in QUOTED:
        text = _quoted(rest, floor, lines)
        if text is not None:
            yield _unescaped(rest[0], text)
    elif rest[0] == "[":
        pieces = [COMMENT.sub("", rest)]
        if not pieces[0].rstrip().endswith("]"):
            for line in lines.deeper(floor - 1, blank=True):
                pieces.append(COMMENT.sub("", line).strip())
                if pieces[-1].endswith("]"):
                    break
        for item in ITEM.finditer(" ".join(pieces)):
            yield _unescaped('"', item[1]) if item[1] else _unescaped("'", item[2]) if item[2] else item[3] or ""
    else:
        pieces = [rest]
        if not COMMENT.search(rest):
            for line in lines.deeper(floor, blank=False):
                pieces.append(line.strip())
                if COMMENT.search(line):
                    break
        yield " ".join(COMMENT.sub("", piece) for piece in pieces)


def _folded(body: list[str]) -> str:
    """The text of a folded block: lines of a paragraph are joined, more indented ones stay separate lines."""
    text = ""
    for before, line in zip(["", *body], body, strict=False):
        apart = not before.strip() or not line.strip() or before[0] in " \t" or line[0] in " \t"
        text += f"\n{line}" if apart else f" {line}"
    return text


def _quoted(rest: str, floor: int, lines: _Lines) -> str | None:
    """The text between quotes, which may span several lines; None where they are not closed."""
    pattern = QUOTED[rest[0]]
    if match := pattern.match(rest, 1):
        return match[1]
    pieces = [rest[1:]]
    for line in lines.deeper(floor, blank=True):
        if match := pattern.match(line.strip()):
            return " ".join([*pieces, match[1]])
        pieces.append(line.strip() or "\n")
    return None


def _unescaped(quote: str, text: str) -> str:
    if quote == "'":
        return text.replace("''", "'")
    return re.sub(r"\\(.)", lambda match: ESCAPES.get(match[1], match[1]), text)
