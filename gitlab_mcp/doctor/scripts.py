"""The scripts in a .gitlab-ci.yml, as far as they stand in it in the usual ways of writing YAML.

What is written otherwise, such as a job in braces, is passed over: nothing that is found here is made up.
"""

import re
from collections.abc import Iterator

KEYS = ("script", "before_script", "after_script", "pre_get_sources_script")

KEY = re.compile(r"""("[^"]*"|'[^']*'|[^\s"'#&*!|>%@`{}\[\],](?:[^:#]|:(?=\S)|(?<=\S)#)*?):(?:\s+|$)""")
DASH = re.compile(r"-(?:\s+|$)")
YAML_ANCHORS = re.compile(r"(?:&\S+(?:\s+|$))+")
BLOCK = re.compile(r"([|>])[-+0-9]{0,2}\s*(?:#.*)?$")
COMMENT = re.compile(r"(?:^|\s)#.*$")
# A quoted text up to its end, behind the quote that opens it.
QUOTED = {'"': re.compile(r'([^"\\]*(?:\\.[^"\\]*)*)"'), "'": re.compile(r"([^']*(?:''[^']*)*)'(?!')")}
ITEM = re.compile(r""""([^"\\]*(?:\\.[^"\\]*)*)"|'([^']*(?:''[^']*)*)'|([^\s,\[\]][^,\[\]]*)""")
ESCAPES = {"n": "\n", "t": "\t", "0": "\0"}


def scripts(text: str) -> Iterator[str]:
    """Each script, or element of one, as the shell gets it; also of lists that are there to be referred to."""
    lines = _Lines(text)
    keys: list[tuple[int, str]] = []
    while (line := lines.next()) is not None:
        column = floor = _indent(line)
        while dash := DASH.match(line, column):
            while keys and keys[-1][0] > column:  # a list may stand as far to the left as its key
                keys.pop()
            floor, column = column, dash.end()
        rest = line[column:]
        if key := KEY.match(rest):
            while keys and keys[-1][0] >= column:
                keys.pop()
            keys.append((column, key[1].strip("\"' ")))
            floor, rest = column, rest[key.end() :]
        if marks := YAML_ANCHORS.match(rest):
            rest = rest[marks.end() :]
        found = list(_scalars(rest, floor, lines))
        if keys and (keys[-1][1] in KEYS or keys[-1][1].startswith(".")):
            yield from found


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


class _Lines:
    """Lines that are taken one by one."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._at = 0

    def next(self) -> str | None:
        """The next line with anything but a comment in it; None at the end."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if line.strip() and not line.lstrip().startswith("#") and not line.startswith(("---", "...")):
                return line
        return None

    def deeper(self, floor: int, *, blank: bool) -> Iterator[str]:
        """The lines that follow and are indented more than `floor`, and with `blank` the empty ones between them."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if not (blank if not line.strip() else _indent(line) > floor):
                return
            self._at += 1
            yield line


def _scalars(rest: str, floor: int, lines: _Lines) -> Iterator[str]:
    """The texts that begin with `rest`, below a key or dash in column `floor`."""
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
    """Lines of one paragraph joined; those that are indented more stay lines of their own."""
    text = ""
    for before, line in zip(["", *body], body, strict=False):
        apart = not before.strip() or not line.strip() or before[0] in " \t" or line[0] in " \t"
        text += f"\n{line}" if apart else f" {line}"
    return text


def _quoted(rest: str, floor: int, lines: _Lines) -> str | None:
    """What stands between quotes, over several lines too; None where they are not closed."""
    close = QUOTED[rest[0]]
    if found := close.match(rest, 1):
        return found[1]
    pieces = [rest[1:]]
    for line in lines.deeper(floor, blank=True):
        if found := close.match(line.strip()):
            return " ".join([*pieces, found[1]])
        pieces.append(line.strip() or "\n")
    return None


def _unescaped(quote: str, text: str) -> str:
    if quote == "'":
        return text.replace("''", "'")
    return re.sub(r"\\(.)", lambda match: ESCAPES.get(match[1], match[1]), text)
