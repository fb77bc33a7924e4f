"""Text that is sent to GitLab, neutralized: it executes no quick action and mentions no forbidden handle."""

import re
from collections.abc import Iterator

from gitlab_mcp.safety.marker import without_markers

# GitLab deletes carriage returns, then executes quick actions only at column 0 (lib/gitlab/quick_actions/extractor.rb).
QUICK_ACTION = re.compile(r"(?im)^([^\S\n]*)/(?=[a-z_]+(?:\s|$))")
MAX_PASSES = 10

# The fields of GitLab's requests that contain text of people: https://docs.gitlab.com/user/project/quick_actions/
TEXT_FIELDS = ("body", "note", "description", "title", "commit_message")


def neutralize(text: str, handles: tuple[str, ...]) -> str:
    """`text` whose quick actions are not executed, with mentions of `handles` (such as "all") in backticks.

    The marker of a tracking note is removed.

    A space is put before the slash of a line that GitLab would execute, in code too: whether GitLab parses it as code
    cannot be predicted, and Markdown renders the same. The function is idempotent.
    """
    text = without_markers(text.replace("\r\n", "\n").replace("\r", ""))
    text = QUICK_ACTION.sub(lambda match: match[0] if match[1][-1:] in (" ", "\t") else f"{match[1]} /", text)
    names = "|".join(map(re.escape, handles))
    # Beside a backtick of the text, or after a backslash, an added backtick would not begin or end a code span.
    mentions = re.compile(rf"(?i)(?<!\w)([`\\]?)((?:@(?:{names}))+)(?![\w-]|\.\w)(?=(`?))")

    alone = re.compile(rf"(?i)(?<!\w)@(?=(?:{names})(?![\w-]|\.\w))")

    def quoted(match: re.Match[str]) -> str:
        before, mention, after = match.groups()
        return f"{before}{' ' if before else ''}`{mention}`{' ' if after else ''}"

    if not mentions.search(text):
        return text

    def replaced(part: str, kind: str) -> str:
        if kind == "code":
            return part
        # Backticks mean nothing in an HTML block.
        return mentions.sub(quoted, part) if kind == "text" else alone.sub("@ ", part)

    for _ in range(MAX_PASSES):
        escaped = "".join(replaced(part, kind) for part, kind in _parts(text))
        if escaped == text:
            return escaped
        text = escaped  # a new backtick can close an old code span, so that the text after it is no longer code
    return re.sub(rf"(?i)@(?={names})", "@ ", text)


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """The parts of a text, each "code", "html" or "text"."""
    from gitlab_mcp.safety.markdown_code import parts_of  # few texts need the parser

    parts, position = parts_of(text), 0
    spans = [(*span, "code") for span in (*parts.code, *parts.fences)] + [(*span, "html") for span in parts.html]
    for start, end, kind in sorted(spans):
        if start >= position:
            yield text[position:start], "text"
            yield text[start:end], kind
            position = end
    yield text[position:], "text"


def has_unclosed_block(text: str) -> bool:
    """Whether text after `text` and an empty line becomes a part of its last code block, HTML block, quote or item."""
    from gitlab_mcp.safety.markdown_blocks import BlockParser

    parser = BlockParser(f"{text}\n\nx")
    return len(parser.containers) > 1 or parser.leaf is None or parser.leaf.kind != "paragraph"
