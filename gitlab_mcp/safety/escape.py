"""Text that goes to GitLab, made inert: it executes no quick action and calls nobody who must not be called."""

import re
from collections.abc import Iterator

# GitLab deletes carriage returns, then takes commands at column 0 only (lib/gitlab/quick_actions/extractor.rb).
QUICK_ACTION = re.compile(r"(?im)^([^\S\n]*)/(?=[a-z_]+(?:\s|$))")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
# CommonMark 0.31, 4.6: the HTML blocks that an empty line does not end, and what does.
HTML_BLOCKS = (
    (r"(?i)<(?:pre|script|style|textarea)(?![^\s>])", r"(?i)</(?:pre|script|style|textarea)>"),
    (r"<!--", r"-->"),
    (r"<\?", r"\?>"),
    (r"<![A-Za-z]", r">"),
    (r"<!\[CDATA\[", r"\]\]>"),
)

PASSES = 10

# The fields of GitLab's requests that hold people's text: https://docs.gitlab.com/user/project/quick_actions/
TEXT_FIELDS = ("body", "note", "description", "title", "commit_message")


def neutralize(text: str, handles: tuple[str, ...]) -> str:
    """`text` without live quick actions, and with mentions of `handles` (such as "all") in back-ticks.

    A blank goes before the slash of a line that GitLab would execute, in code too: whether GitLab takes it for code is
    not ours to guess, and Markdown reads the same. Doing it twice changes nothing more.
    """
    text = text.replace("\r\n", "\n").replace("\r", "")
    text = QUICK_ACTION.sub(lambda match: match[0] if match[1][-1:] in (" ", "\t") else f"{match[1]} /", text)
    names = "|".join(map(re.escape, handles))
    # Beside a back-tick of the text, or behind a backslash, one of ours would not be a back-tick of its own.
    mentions = re.compile(rf"(?i)(?<!\w)([`\\]?)((?:@(?:{names}))+)(?![\w-]|\.\w)(?=(`?))")

    def quoted(match: re.Match[str]) -> str:
        before, mention, after = match.groups()
        return f"{before}{' ' if before else ''}`{mention}`{' ' if after else ''}"

    for _ in range(PASSES):
        quiet = "".join(part if is_code else mentions.sub(quoted, part) for part, is_code in _parts(text))
        if quiet == text:
            return quiet
        text = quiet  # a new back-tick can close an old one, and bare what stood behind it
    return re.sub(rf"(?i)@(?={names})", "@ ", text)


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """The text in pieces, and whether each is code (CommonMark 0.31, 4.5 fenced code blocks and 6.1 code spans)."""
    prose: list[str] = []
    fence = ""
    for line in text.splitlines(keepends=True):
        match = FENCE.match(line)
        if fence:
            yield line, True
            if match and match[1].startswith(fence) and not match[2].strip():
                fence = ""
        elif match and not (match[1][0] == "`" and "`" in match[2]):
            yield from _spans("".join(prose))
            prose = []
            fence = match[1]
            yield line, True
        else:
            prose.append(line)
    yield from _spans("".join(prose))


def _spans(prose: str) -> Iterator[tuple[str, bool]]:
    """Prose cut at its code spans. A span does not cross an empty line, which ends the paragraph."""
    position = 0
    for run in re.finditer(r"`+", prose):
        if run.start() < position:
            continue
        start = run.start() + _is_escaped(prose, run.start())
        ticks = prose[start : run.end()]
        if not ticks:
            continue
        paragraph_end = re.compile(r"\n[ \t]*\n").search(prose, run.end())
        end = paragraph_end.start() if paragraph_end else len(prose)
        closing = re.compile(rf"(?<!`){ticks}(?!`)").search(prose, run.end(), end)
        if closing:
            yield prose[position:start], False
            yield prose[start : closing.end()], True
            position = closing.end()
    yield prose[position:], False


def _is_escaped(prose: str, position: int) -> bool:
    """Whether a backslash takes its meaning from the character at `position` (CommonMark 0.31, 2.4)."""
    first = position
    while first and prose[first - 1] == "\\":
        first -= 1
    return (position - first) % 2 == 1


def has_unclosed_block(text: str) -> bool:
    """Whether what follows `text` after an empty line may be taken for a part of its last code block or HTML.

    An indented one can be that of a list, which ends with it. What has less indentation then is not looked into: true.
    """
    indentation, ending = 0, ""
    for line in text.expandtabs(4).split("\n"):
        content = line.lstrip(" ")
        indented = len(line) - len(content)
        if ending and content and indented < indentation:
            return True
        if not ending and indented < 4:
            indentation, ending = indented, _ending(content)
            if ending.startswith("^"):
                continue  # a fence does not end itself
        if ending and re.search(ending, line):
            ending = ""
    return bool(ending)


def _ending(line: str) -> str:
    """What ends the code block or HTML that this line begins, as a pattern; "" where it begins none."""
    fence = FENCE.match(line)
    if fence and not (fence[1][0] == "`" and "`" in fence[2]):
        return rf"^ {{0,3}}{fence[1]}{fence[1][0]}* *$"
    return next((ending for beginning, ending in HTML_BLOCKS if re.match(beginning, line)), "")
