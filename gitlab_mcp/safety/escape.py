"""Text that is sent to GitLab, neutralized: it executes no quick action and mentions no forbidden handle."""

import re
from collections.abc import Iterator

# GitLab deletes carriage returns, then executes quick actions only at column 0 (lib/gitlab/quick_actions/extractor.rb).
QUICK_ACTION = re.compile(r"(?im)^([^\S\n]*)/(?=[a-z_]+(?:\s|$))")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
# CommonMark 0.31, 4.6: the start of each kind of HTML block that an empty line does not end, and its end.
HTML_BLOCKS = (
    (r"(?i)<(?:pre|script|style|textarea)(?![^\s>])", r"(?i)</(?:pre|script|style|textarea)>"),
    (r"<!--", r"-->"),
    (r"<\?", r"\?>"),
    (r"<![A-Za-z]", r">"),
    (r"<!\[CDATA\[", r"\]\]>"),
)

MAX_PASSES = 10

# The fields of GitLab's requests that contain text of people: https://docs.gitlab.com/user/project/quick_actions/
TEXT_FIELDS = ("body", "note", "description", "title", "commit_message")


def neutralize(text: str, handles: tuple[str, ...]) -> str:
    """`text` whose quick actions are not executed, with mentions of `handles` (such as "all") in backticks.

    A space is put before the slash of a line that GitLab would execute, in code too: whether GitLab parses it as code
    cannot be predicted, and Markdown renders the same. The function is idempotent.
    """
    text = text.replace("\r\n", "\n").replace("\r", "")
    text = QUICK_ACTION.sub(lambda match: match[0] if match[1][-1:] in (" ", "\t") else f"{match[1]} /", text)
    names = "|".join(map(re.escape, handles))
    # Beside a backtick of the text, or after a backslash, an added backtick would not begin or end a code span.
    mentions = re.compile(rf"(?i)(?<!\w)([`\\]?)((?:@(?:{names}))+)(?![\w-]|\.\w)(?=(`?))")

    def quoted(match: re.Match[str]) -> str:
        before, mention, after = match.groups()
        return f"{before}{' ' if before else ''}`{mention}`{' ' if after else ''}"

    for _ in range(MAX_PASSES):
        escaped = "".join(part if is_code else mentions.sub(quoted, part) for part, is_code in _parts(text))
        if escaped == text:
            return escaped
        text = escaped  # a new backtick can close an old code span, so that the text after it is no longer code
    return re.sub(rf"(?i)@(?={names})", "@ ", text)


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """The parts of a text, and whether each is code (CommonMark 0.31, 4.5 fenced code blocks and 6.1 code spans)."""
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
    """Prose split at its code spans. A span does not cross an empty line, which ends the paragraph."""
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
    """Whether text after `text` and an empty line may become a part of its last code block or HTML block.

    An indented block may belong to a list item, which ends with it. Where less indented text follows, the answer is
    true, since list items are not parsed.
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
                continue  # an opening fence is not its own closing fence
        if ending and re.search(ending, line):
            ending = ""
    return bool(ending)


def _ending(line: str) -> str:
    """The pattern for the end of the code block or HTML block that begins in this line; "" where none begins."""
    fence = FENCE.match(line)
    if fence and not (fence[1][0] == "`" and "`" in fence[2]):
        return rf"^ {{0,3}}{fence[1]}{fence[1][0]}* *$"
    return next((ending for beginning, ending in HTML_BLOCKS if re.match(beginning, line)), "")
