"""The include in a .gitlab-ci.yml of any form: it is added, found, changed and removed, and nothing else changes."""

import json

import pytest
import yaml

from gitlab_mcp.setup.ci_file import read_ci_file, with_include, with_inputs, with_values, without_include
from gitlab_mcp.setup.yaml_text import CannotEdit

ENTRY = {"local": "/.gitlab/claude/claude.yml", "inputs": {"server_wheel_sha256": "0" * 64, "max_turns": 40}}
BLOCK = f"""\
  - local: /.gitlab/claude/claude.yml
    inputs:
      server_wheel_sha256: "{"0" * 64}"
      max_turns: 40
"""
FLOW = json.dumps(ENTRY)
INPUTS = {"claude_note": {"default": "", "regex": "^[0-9]*$"}, "claude_digest": {"default": ""}}
HEADER = """\
spec:
  inputs:
    claude_note:
      default: ""
      regex: "^[0-9]*$"
    claude_digest:
      default: ""
"""
JOB = "\n# what it does\njob: {script: [make]} # and why\n"

# The file before, and after the include was added.
FORMS = {
    "empty": ("", f"include:\n{BLOCK}"),
    "only a comment": ("# nothing yet\n", f"# nothing yet\ninclude:\n{BLOCK}"),
    "no include": (f"stages: [build]\n{JOB}# end\n", f"stages: [build]\n{JOB}# end\n\ninclude:\n{BLOCK}"),
    "no end of the last line": ("job:\n  script: make", f"job:\n  script: make\n\ninclude:\n{BLOCK}"),
    "a block that keeps its empty lines": (
        "job:\n  script:\n    - |+\n      make\n\n\n",
        f"job:\n  script:\n    - |+\n      make\n\n\ninclude:\n{BLOCK}",
    ),
    "an end of the document": (f"{JOB}...\n", f"{JOB}\ninclude:\n{BLOCK}...\n"),
    "a string": (f"include: '/a.yml' # why\n{JOB}", f"include:\n  - '/a.yml' # why\n{BLOCK}{JOB}"),
    "a string on its own line": (
        f"include:\n  # before\n  /a.yml\n{JOB}",
        f"include:\n  # before\n  - /a.yml\n{BLOCK}{JOB}",
    ),
    "a string that a flow could not hold": (
        f"include: https://x.example/a.yml?b=[1]\n{JOB}",
        f"include:\n  - https://x.example/a.yml?b=[1]\n{BLOCK}{JOB}",
    ),
    "a quoted key": (f"'include': \"a.yml\"\n{JOB}", f"'include':\n  - \"a.yml\"\n{BLOCK}{JOB}"),
    "a list of strings": (
        f"include:\n  - /a.yml\n  # two\n  - /b.yml # b\n{JOB}",
        f"include:\n  - /a.yml\n  # two\n  - /b.yml # b\n{BLOCK}{JOB}",
    ),
    "a list of maps": (
        f"include:\n  - local: /a.yml\n  - project: x/y\n    file:\n      - z.yml\n    rules: []\n{JOB}",
        f"include:\n  - local: /a.yml\n  - project: x/y\n    file:\n      - z.yml\n    rules: []\n{BLOCK}{JOB}",
    ),
    "a list that is not indented": (
        f"include:\n- local: /a.yml\n{JOB}",
        f"include:\n- local: /a.yml\n{BLOCK.replace(chr(10) + '  ', chr(10))[2:]}{JOB}",
    ),
    "one map": (
        f"include:\n  local: /a.yml\n  # when\n  rules:\n    - if: $X\n{JOB}",
        f"include:\n  - local: /a.yml\n    # when\n    rules:\n      - if: $X\n{BLOCK}{JOB}",
    ),
    "one map in braces": (f"include: {{local: a.yml}} # c\n{JOB}", f"include: [{{local: a.yml}}, {FLOW}] # c\n{JOB}"),
    "a list in brackets": (
        f"include: [/a.yml, {{local: b.yml}}] # c\n{JOB}",
        f"include: [/a.yml, {{local: b.yml}}, {FLOW}] # c\n{JOB}",
    ),
    "a comma at the end of a list": (
        f"include: [\n  a.yml, # one\n]\n{JOB}",
        f"include: [\n  a.yml, {FLOW}, # one\n]\n{JOB}",
    ),
    "an empty list": (f"include: []\n{JOB}", f"include: [{FLOW}]\n{JOB}"),
    "nothing": (f"include:\n{JOB}", f"include:\n{BLOCK}{JOB}"),
    "null": (f"include: ~ # none\n{JOB}", f"include:  # none\n{BLOCK}{JOB}"),
    "an alias": (f".i: &i /a.yml\ninclude: *i\n{JOB}", f".i: &i /a.yml\ninclude:\n  - *i\n{BLOCK}{JOB}"),
    "an alias in a list": (
        f".l: &l {{local: a.yml}}\ninclude:\n  - *l\n{JOB}",
        f".l: &l {{local: a.yml}}\ninclude:\n  - *l\n{BLOCK}{JOB}",
    ),
    "a folded text": (
        f"include:\n  - local: >-\n      a.yml\n# c\n{JOB}",
        f"include:\n  - local: >-\n      a.yml\n{BLOCK}# c\n{JOB}",
    ),
    "a header": (
        f"spec:\n  inputs:\n    env: {{default: x}}\n---\ninclude: a.yml\n{JOB}",
        f"spec:\n  inputs:\n    env: {{default: x}}\n---\ninclude:\n  - a.yml\n{BLOCK}{JOB}",
    ),
    "a line of dashes first": (f"---\n{JOB}", f"---\n{JOB}\ninclude:\n{BLOCK}"),
    "anchors, merges and references": (
        ".a: &a\n  before_script: [x]\njob:\n  <<: *a\n  script: !reference [.a, before_script]\n",
        f".a: &a\n  before_script: [x]\njob:\n  <<: *a\n  script: !reference [.a, before_script]\n\ninclude:\n{BLOCK}",
    ),
    "ends of lines as on Windows": (
        "include: a.yml\r\njob:\r\n  script: make\r\n",
        f"include:\n  - a.yml\n{BLOCK}job:\n  script: make\n".replace("\n", "\r\n"),
    ),
    "a byte order mark": (f"\ufeffinclude: a.yml\n{JOB}", f"\ufeffinclude:\n  - a.yml\n{BLOCK}{JOB}"),
    "every key indented": (
        "  include: a.yml\n  job: {script: make}\n",
        "  include:\n    - a.yml\n" + "".join(f"  {line}\n" for line in BLOCK.splitlines()) + "  job: {script: make}\n",
    ),
    "JSON": ('{"job": {"script": ["make"]}}', f'{{"job": {{"script": ["make"]}}, "include": [{FLOW}]}}'),
    "JSON with an include": ('{"include": "a.yml", "job": {}}', f'{{"include": ["a.yml", {FLOW}], "job": {{}}}}'),
    "a key twice, of which GitLab takes the last": (
        f"include: a.yml\ninclude: b.yml\n{JOB}",
        f"include: a.yml\ninclude:\n  - b.yml\n{BLOCK}{JOB}",
    ),
    "other characters than ASCII": (
        f"# größe 😀\ninclude: größe.yml\n{JOB}",
        f"# größe 😀\ninclude:\n  - größe.yml\n{BLOCK}{JOB}",
    ),
    "aliases that would be billions of values": (
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(20)),
        "",
    ),
}

REFUSED = {
    "a tab": ("job:\n\tscript: x\n", "not valid YAML at line 2"),
    "a list": ("- a\n- b\n", "not a mapping"),
    "a text": ("hello\n", "not a mapping"),
    "an alias without its anchor": ("job:\n  <<: *x\n", r"\*x has no anchor"),
    "an alias in its own anchor": ("a: &a [*a]\n", r"\*a has no anchor"),
    "an anchor on the include that others use": (
        "include: &x\n  local: /a.yml\njob: {script: make}\ny: *x\n",
        "nothing can be inserted",
    ),
    "keys that are merged from elsewhere": (".a: &x {include: a.yml}\n<<: *x\n", "merged from elsewhere"),
    "two documents": ("a: b\n---\nc: d\n", "more than one document"),
    "three documents": ("spec: {}\n---\na: b\n---\nc: d\n", "more than one document"),
    "a header alone": ("spec:\n  inputs:\n    a:\n", "no jobs after it"),
    "brackets too deep": (f"a: {'[' * 3000}{']' * 3000}\n", "too deeply"),
    "a control character": ("a: \x00b\n", "not valid YAML"),
}


@pytest.mark.parametrize(("before", "after"), FORMS.values(), ids=FORMS)
def test_the_include_is_added_and_every_other_character_stays(before: str, after: str) -> None:
    edited = with_include(before, ENTRY)
    if after:
        assert edited == after
    assert read_ci_file(edited).include == {"server_wheel_sha256": "0" * 64, "max_turns": "40"}


@pytest.mark.parametrize(("before", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_file_in_which_nothing_can_be_added_safely_is_left_alone(before: str, reason: str) -> None:
    with pytest.raises(CannotEdit, match=reason):
        with_include(before, ENTRY)


@pytest.mark.parametrize("name", [name for name in FORMS if "null" not in name and name != "nothing"])
def test_the_include_is_removed_again_or_the_file_is_left_alone(name: str) -> None:
    before = FORMS[name][0]
    edited = with_include(before, ENTRY)
    try:
        removed = without_include(edited)
    except CannotEdit:
        assert "[" in edited or "{" in edited
        return
    assert read_ci_file(removed).include is None
    assert read_ci_file(removed).jobs == read_ci_file(before).jobs


HEADERS = {
    "no header": (JOB, f"{HEADER}---\n{JOB}"),
    "a line of dashes first": (f"# c\n---\n{JOB}", f"# c\n{HEADER}---\n{JOB}"),
    "inputs of its own": (
        f"spec:\n  inputs:\n    env:\n      default: x # c\n---\n{JOB}",
        f"spec:\n  inputs:\n    env:\n      default: x # c\n{HEADER.partition('inputs:' + chr(10))[2]}---\n{JOB}",
    ),
    "a header without inputs": (
        f"spec:\n  description: x\n---\n{JOB}",
        f"spec:\n  description: x\n{HEADER[6:]}---\n{JOB}",
    ),
    "one of the inputs": (
        f"spec:\n  inputs:\n    claude_note: {{}}\n---\n{JOB}",
        f'spec:\n  inputs:\n    claude_note: {{}}\n    claude_digest:\n      default: ""\n---\n{JOB}',
    ),
    "all of the inputs": (f"{HEADER}---\n{JOB}", f"{HEADER}---\n{JOB}"),
    "inputs in braces": (
        f"spec: {{inputs: {{env: {{default: x}}}}}}\n---\n{JOB}",
        f"spec: {{inputs: {{env: {{default: x}}, {json.dumps(INPUTS)[1:-1]}}}}}\n---\n{JOB}",
    ),
    "a byte order mark": (f"\ufeff{JOB}", f"\ufeff{HEADER}---\n{JOB}"),
    "nothing at all": ("", f"{HEADER}---\n"),
}


@pytest.mark.parametrize(("before", "after"), HEADERS.values(), ids=HEADERS)
def test_inputs_are_declared_at_the_head_and_the_jobs_stay(before: str, after: str) -> None:
    assert with_inputs(before, INPUTS) == after


def test_inputs_of_an_include_are_changed_in_place_and_added() -> None:
    text = f"include:\n  - /a.yml\n{BLOCK}{JOB}"
    changed = with_values(text, {"max_turns": 7, "server_lock_sha256": "f" * 64})
    assert changed == text.replace("40\n", f"7\n      server_lock_sha256: {'f' * 64}\n")


@pytest.mark.parametrize(
    "place", ["local: /templates/claude.yml", "component: $CI_SERVER_FQDN/a/b/claude-bedrock@0.2.0"]
)
def test_an_include_that_a_person_wrote_is_found(place: str) -> None:
    assert read_ci_file(f"include:\n  - {place}\n{JOB}").include == {}


@pytest.mark.parametrize(
    "place", ["local: /ci/other.yml", "template: Jobs/Build.gitlab-ci.yml", "remote: https://x/y.yml"]
)
def test_an_include_of_something_else_is_not_taken_for_it(place: str) -> None:
    assert read_ci_file(f"include:\n  - {place}\n{JOB}").include is None


def test_the_job_gets_a_name_that_is_free() -> None:
    assert read_ci_file("claude: {script: x}\nclaude-code: {script: x}\n").free_name == "claude-code-2"


@pytest.mark.parametrize(
    ("stages", "stage"),
    [("", "test"), ("stages: [build, test]", "test"), ("stages: [lint, deploy]", "lint"), ("stages:\n  - a\n", "a")],
    ids=["the default ones", "test among them", "others", "others in a block"],
)
def test_the_job_gets_a_stage_of_the_pipeline(stages: str, stage: str) -> None:
    assert read_ci_file(f"{stages}\n{JOB}").stage == stage


@pytest.mark.parametrize("name", [name for name in FORMS if not name.startswith(("anchors", "aliases", "a header"))])
def test_the_jobs_are_the_same_values_before_and_after(name: str) -> None:
    before = FORMS[name][0]
    *_, old = [None, *yaml.safe_load_all(before)]
    *_, new = yaml.safe_load_all(with_include(before, ENTRY))
    assert {**new, "include": None} == {**(old or {}), "include": None}
    assert new["include"][-1] == ENTRY
