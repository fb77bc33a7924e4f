"""The include of a template in a project's .gitlab-ci.yml: found, added and removed, with every other character kept.

The file is edited as text and read before and after, so that nothing is written that means something else than before.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gitlab_mcp.setup.yaml_text import (
    CannotEdit,
    Meanings,
    YamlNode,
    YamlText,
    first_that,
    indented,
    lines_of,
    read_yaml,
    scalar,
    with_item,
    with_pair,
)

TEMPLATE_PATH = re.compile(r"(?:^|/)claude(?:-bedrock|-vertex|-api-oidc)?(?:\.yml|@\S+)$")
FREE_NAMES = ("claude", "claude-code", *(f"claude-code-{number}" for number in range(2, 100)))
DEFAULT_STAGE = "test"
# The headers of GitLab's own: https://docs.gitlab.com/ci/yaml/#header-keywords
HEADER_KEY = "spec"


@dataclass(frozen=True)
class CIFile:
    """A configuration as far as setup needs it.

    `jobs` are its keys; `stages` those that it lists; `include` the inputs of the template's include as they are
    written, None where it has none; `inputs` the inputs that its header declares.
    """

    jobs: Sequence[str]
    stages: Sequence[str]
    include: Mapping[str, str] | None
    inputs: Sequence[str]

    @property
    def free_name(self) -> str:
        """A name for a job that no job of the file has."""
        return next(name for name in FREE_NAMES if name not in self.jobs)

    @property
    def stage(self) -> str:
        """A stage of the pipeline: GitLab's default, else the first one, whose jobs wait for no others."""
        return DEFAULT_STAGE if not self.stages or DEFAULT_STAGE in self.stages else self.stages[0]


def read_ci_file(text: str) -> CIFile:
    """Read a configuration. Raises CannotEdit where it is not a mapping in valid YAML."""
    document = read_yaml(text)
    root, header = _root(document), _header(document)
    stages = root.get("stages") if root else None
    found = next(_template_includes(root), None) if root else None
    inputs = found.get("inputs") if found else None
    declared = _inputs_of(header)
    return CIFile(
        jobs=[name.value for name, _ in root.pairs] if root else [],
        stages=[item.value for item in stages.items] if stages and stages.kind == "sequence" else [],
        include={name.value: value.value for name, value in inputs.pairs} if inputs else {} if found else None,
        inputs=[name.value for name, _ in declared.pairs] if declared else [],
    )


def with_include(text: str, entry: Mapping[str, object]) -> str:
    """The text with `entry` as the last of its includes. Raises CannotEdit where that cannot be added safely."""
    meanings = Meanings()
    before = read_yaml(text, meanings)
    root = _root(before)
    if root and any(name.value == "<<" for name, _ in root.pairs) and root.get("include") is None:
        raise CannotEdit("Its keys are merged from elsewhere (<<), so that its includes cannot be told.")
    old = _includes(root)
    added = _root(read_yaml("\n".join(lines_of(entry)), meanings))

    def holds(candidate: str) -> bool:
        after = read_yaml(candidate, meanings)
        now = _root(after)
        new = _includes(now)
        return (
            now is not None
            and added is not None
            and len(after.roots) == max(len(before.roots), 1)
            and [item.meaning for item in new[:-1]] == [item.meaning for item in old]
            and len(new) == len(old) + 1
            and [(name.value, value.meaning) for name, value in new[-1].pairs]
            == [(name.value, value.meaning) for name, value in added.pairs]
            and _others(now, "include") == _others(root, "include")
            and [root and root.meaning for root in after.roots[:-1]]
            == [one and one.meaning for one in before.roots[:-1]]
        )

    return first_that(_candidates(before, root, entry), holds)


def with_inputs(text: str, inputs: Mapping[str, Mapping[str, object]]) -> str:
    """The text whose header declares `inputs` too; those that it declares already stay as they are.

    https://docs.gitlab.com/ci/yaml/#specinputs
    """
    meanings = Meanings()
    before = read_yaml(text, meanings)
    header, root = _header(before), _root(before)
    missing = {name: value for name, value in inputs.items() if name not in read_ci_file(text).inputs}
    for name, value in missing.items():
        text = _with_input(text, name, value)
    now = read_yaml(text, meanings)
    kept = _root(now)
    if (kept and kept.meaning) != (root and root.meaning) or (header and _others(header, HEADER_KEY)) not in (
        None,
        _others(_header(now), HEADER_KEY),
    ):
        raise CannotEdit("It has a form in which no input can be declared without changing something else.")
    return text


def _with_input(text: str, name: str, value: Mapping[str, object]) -> str:
    document = read_yaml(text)
    header = _header(document)
    spec = header.get(HEADER_KEY) if header else None
    declared = _inputs_of(header)
    if declared and declared.kind == "mapping":
        return with_pair(document, declared, name, value)
    if spec and spec.kind == "mapping" and declared is None:
        return with_pair(document, spec, "inputs", {name: value})
    if header:
        raise CannotEdit("Its header has a form in which no input can be declared.")
    lines = lines_of({HEADER_KEY: {"inputs": {name: value}}})
    if document.begins and document.begins[0] is not None:
        return document.with_lines(document.line_start(document.begins[0]), lines)
    return document.with_lines(document.line_start(0), [*lines, "---"])


def without_include(text: str) -> str:
    """The text without the include of a template, which is removed with its line or lines."""
    meanings = Meanings()
    document = read_yaml(text, meanings)
    root = _root(document)
    found = next(_template_includes(root), None)
    key, value = (root.key("include"), root.get("include")) if root else (None, None)
    if root is None or found is None or key is None or value is None or value.flow or root.flow:
        raise CannotEdit("The include of the template cannot be removed by itself.")
    whole = len(_includes(root)) == 1
    start = document.line_start(key.start if whole else text.rfind("-", 0, found.start))
    end = document.after(value if whole else found)
    kept = [item.meaning for item in _includes(root) if item is not found]

    def holds(candidate: str) -> bool:
        now = _root(read_yaml(candidate, meanings))
        return [item.meaning for item in _includes(now)] == kept and _others(now, "include") == _others(root, "include")

    # Without the empty line that was added before it, where there is one.
    starts = [start - len(document.newline), start] if text[:start].endswith(document.newline * 2) else [start]
    return first_that((text[:start] + text[end:] for start in starts), holds)


def with_values(text: str, inputs: Mapping[str, object]) -> str:
    """The text with other values for inputs of the template's include; one that is not set yet is added.

    Raises CannotEdit where a value is not a text on its own.
    """
    for name, value in inputs.items():
        document = read_yaml(text)
        include = next(_template_includes(_root(document)), None)
        listed = include.get("inputs") if include else None
        if include is None:
            raise CannotEdit("It has no include of the template.")
        old = listed.get(name) if listed else None
        if listed is None:
            text = with_pair(document, include, "inputs", {name: value})
        elif old is None:
            text = with_pair(document, listed, name, value)
        elif old.kind == "scalar":
            text = text[: old.start] + (json.dumps(value) if listed.flow else scalar(value)) + text[old.end :]
        found = read_ci_file(text).include
        if found is None or found.get(name) != str(value):
            raise CannotEdit(f"The input {name} of its include cannot be changed by itself.")
    return text


def _candidates(document: YamlText, root: YamlNode | None, entry: Mapping[str, object]) -> Iterator[str]:
    if root is None:
        yield document.with_lines(len(document.text), lines_of({"include": [entry]}))
        return
    key, value = root.key("include"), root.get("include")
    if key is None or value is None:
        lines = indented(lines_of({"include": [entry]}), document.column(root.items[0].start) if root.items else 0)
        if not root.flow:
            yield document.with_lines(len(document.text), ["", *lines])
            yield document.with_lines(len(document.text), lines)
            yield document.with_lines(document.after(root), ["", *lines])
            yield document.with_lines(document.after(root), lines)
        yield with_pair(document, root, "include", [entry])
    elif value.kind == "sequence":
        yield with_item(document, value, entry)
    elif root.flow or (value.flow and value.kind == "mapping"):
        yield from _wrapped_in_flow(document, value, entry)
    elif value.is_null:
        emptied = read_yaml(document.text[: value.start] + document.text[value.end :])
        column = document.column(key.start) + 2
        yield emptied.with_lines(emptied.after(key), indented(lines_of([entry]), column))
    else:
        yield _as_block_list(document, key, value, entry)


def _wrapped_in_flow(document: YamlText, value: YamlNode, entry: Mapping[str, object]) -> Iterator[str]:
    text = document.text
    old = text[value.start : value.end]
    yield f"{text[: value.start]}[{old}, {json.dumps(entry)}]{text[value.end :]}"


def _as_block_list(document: YamlText, key: YamlNode, value: YamlNode, entry: Mapping[str, object]) -> str:
    """The text whose single include, a text or a mapping over several lines, is the first item of a list."""
    text, end = document.text, document.after(value)
    own_line = "\n" in text[key.end : value.start]
    if own_line:
        column = document.column(value.start)
        start = document.line_start(value.start)
        lines = text[start:end].splitlines(keepends=True)
        moved = [f"{' ' * 2}{line}" if line.strip() else line for line in lines]
        moved[0] = f"{' ' * column}- {lines[0].lstrip(' ')}"
        before, item = text[:start], "".join(moved)
    else:
        column = document.column(key.start) + 2
        colon = text.index(":", key.end) + 1
        before = text[:colon] + document.newline
        item = f"{' ' * column}- {text[value.start : end]}"
    edited = YamlText(before + item, [], [])
    edited.text += "" if edited.text.endswith("\n") else document.newline
    added = "".join(f"{line}{document.newline}" for line in indented(lines_of([entry]), column))
    return edited.text + added + text[end:]


def _root(document: YamlText) -> YamlNode | None:
    """The mapping of jobs: the last document. Raises CannotEdit where it is something else, or there are too many."""
    if not document.roots:
        return None
    if len(document.roots) > 2 or (len(document.roots) == 2 and _header(document) is None):
        raise CannotEdit("It has more than one document, of which the first one is not a header.")
    root = document.roots[-1]
    if (
        len(document.roots) == 1
        and root
        and root.kind == "mapping"
        and [name.value for name, _ in root.pairs] == [HEADER_KEY]
    ):
        raise CannotEdit("It has a header and no jobs after it.")
    if root is not None and root.kind != "mapping":
        raise CannotEdit("It is not a mapping of jobs.")
    return root


def _header(document: YamlText) -> YamlNode | None:
    first = document.roots[0] if len(document.roots) == 2 else None
    return first if first and first.get(HEADER_KEY) else None


def _inputs_of(header: YamlNode | None) -> YamlNode | None:
    spec = header.get(HEADER_KEY) if header else None
    return spec.get("inputs") if spec else None


def _includes(root: YamlNode | None) -> list[YamlNode]:
    """The includes of a configuration, however they are written."""
    value = root.get("include") if root else None
    if value is None or value.is_null:
        return []
    return list(value.items) if value.kind == "sequence" else [value]


def _template_includes(root: YamlNode | None) -> Iterator[YamlNode]:
    """The includes that name a template of this project, and set the server's inputs or are below .gitlab/claude/."""
    for item in _includes(root):
        place = next((value.value for name, value in item.pairs if name.value in ("local", "component", "file")), "")
        if TEMPLATE_PATH.search(place):
            yield item


def _others(root: YamlNode | None, key: str) -> list[tuple[str, int]]:
    """The other keys of a mapping, in order, with what they mean."""
    return [(name.value, value.meaning) for name, value in root.pairs if name.value != key] if root else []
