"""A stream with everything that could harm a log, a note or the machine: texts of a model, a stranger or a program."""

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_mcp.ci.run.log_text import log_line
from tests.support.claude_stream import (
    FOLDER,
    Watched,
    call,
    called,
    denied,
    edit,
    ended,
    gitlab,
    retried,
    said,
    start,
    stream,
    watch,
)

SECRET = "correct horse battery staple"
TOKEN = "glpat-0123456789abcdefghij"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEogIBAAKCAQEA\nbase64+of/it==\n-----END RSA PRIVATE KEY-----"
MEGABYTES = 100


def everywhere(text: str) -> bytes:
    """A stream with a text in every place in which an event can have one."""
    given = {"command": text, "file_path": f"{FOLDER}/{text}", "old_string": text, "new_string": f"{text}\nb"}
    return stream(
        start(model=text, session_id=text, claude_code_version=text, mcp_servers=[{"name": text, "status": text}]),
        said(text),
        [call(tool, given, text)[0] for tool in ("Bash", "Read")],
        *(call(tool, given, text, failed=failed) for tool in ("Bash", "Edit", text) for failed in (False, True)),
        call("Write", {**given, "content": f"a\n{text}"}, text, details={"originalFile": text}),
        call("TodoWrite", {"todos": [{"content": text, "status": text}]}),
        call("TaskCreate", {"subject": text}, text, details={"task": {"id": text}}),
        gitlab("commit_files", {"branch": text, "paths": [text]}, text),
        gitlab("get_issue", {"iid": text, text: text}, text),
        denied(text, text),
        retried(529, error=text),
        ended(text, permission_denials=[{"tool_name": text}]),
        ended(text, is_error=True, subtype=text, terminal_reason=text, session_id=text),
    )


def all_text(watched: Watched) -> str:
    """All that is written of a stream."""
    result = watched.result
    return "\n".join([watched.log, *watched.states, watched.note, result.json(), result.dotenv(), *result.table()])


SECRETS = {
    "value": SECRET,
    "token": TOKEN,
    "private key": KEY,
    "token in colors": f"glpat-\x1b[1m{TOKEN[6:]}",
    "value in colors": f"{SECRET[:9]}\x1b[31m{SECRET[9:]}",
    "token with an invisible character": f"glpat-\u200b{TOKEN[6:]}",
    "value in a long text": f"{'x' * 390} {SECRET}",
}


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("confidential", [False, True], ids=["open", "confidential"])
def test_no_secret_is_written_wherever_it_stands(text: str, confidential: bool) -> None:
    written = all_text(watch(everywhere(f"a {text} b"), (SECRET,), confidential=confidential))
    assert [part for part in (SECRET[9:], TOKEN[6:], "MIIEog", "base64+of") if part in written] == []


def test_a_private_key_in_the_lines_of_a_change_is_not_written() -> None:
    lines = [edit("id_rsa", "", KEY), edit("id_rsa", KEY, ""), call("Write", {"file_path": "k", "content": KEY})]
    assert "MIIEog" not in all_text(watch(stream(start(), *lines)))


CONTROLS = {
    "color": "\x1b[31mred",
    "cursor": "a\x1b[2J\x1b[H",
    "title": "\x1b]0;x\x07a",
    "return": "over\rwritten",
    "bell": "\x07\x08",
    "C1": "\x9b31m\x85",
    "section": "section_start:1:a[collapsed=true]\r\x1b[0Ka",
    "end of a section": "x section_end:1:claude_1\r\x1b[0K",
    "surrogate": "a\ud83d b\udc00",
    "direction": "\u202egnorw",
    "line separator": "a\u2028b\u2029c",
    "null": "a\x00b",
}


@pytest.mark.parametrize("text", CONTROLS.values(), ids=CONTROLS)
def test_no_control_character_of_others_gets_into_the_log(text: str) -> None:
    written = watch(everywhere(text), sections=False).log
    assert sorted({character for character in written if not character.isprintable()} - {"\n"}) == []
    written.encode()


def test_the_only_sections_are_those_of_the_log_itself() -> None:
    written = watch(everywhere(CONTROLS["section"]), colors=True).log
    own = [line for line in written.split("\n") if "section_start:" in line or "section_end:" in line]
    assert own
    for line in own:
        assert line.startswith("\x1b[0Ksection_")
        assert line.count("section_start:") + line.count("section_end:") == 1


COMMANDS = ["::error::a", "::set-output name=a::b", "  ::add-mask::a", "##[error]a", "##vso[task.setvariable]a", ":::a"]


@pytest.mark.parametrize("command", [*COMMANDS, "x\n::error::a", "x\n\t::error::a", "##teamcity[a]"])
def test_no_command_to_a_runner_gets_into_the_log(command: str) -> None:
    for line in watch(everywhere(command), sections=False).log.split("\n"):
        assert not line.strip().startswith("::")
        assert not any(mark in line for mark in ("##[", "##vso[", "##teamcity["))


@given(st.text(alphabet="a:#[\x1b\r\n\tsection_start:1[Kend ", max_size=60), st.integers(1, 50))
def test_a_line_of_the_log_is_one_line_and_neutralized_once(text: str, characters: int) -> None:
    line = log_line(text, (), characters)
    assert len(line) <= characters
    assert not set("\n\r\x1b") & set(line)
    assert log_line(line, (), characters) == line


def test_the_log_stays_readable_between_broken_and_hostile_lines() -> None:
    noise = b'{"type":\n' + b"[" * 100_000 + b"\n\xff\xfe\n" + b'{"type": "hologram"}\n' + b"Segmentation fault\n"
    lines = [start(), said("I look."), *call("Bash", {"command": "cat x"}, CONTROLS["section"]), said("Done."), ended()]
    data = b"".join(stream(line) + noise for line in lines)
    assert watch(data, sections=False).log.partition("\nResult")[0] == (
        "Claude Code 2.1.330 · opus · MCP servers: gitlab connected\n"
        "● I look.\n"
        "✓ Bash cat x · 6.0s\n"
        "    section_start :1:a[collapsed=true]\n"
        "    a\n"
        "● Done.\n"
    )


# A program that writes the log and the note of the stream on its standard input, and then the memory that it took.
MEASURED = """
import re, sys
from gitlab_mcp.ci.run.log import RunLog
from gitlab_mcp.claude_code.stream import EventReader
from gitlab_mcp.render.progress import Progress
reader, progress, lines = EventReader(("correct horse battery staple",)), Progress(), []
log = RunLog(lambda line: sys.stdout.write(line), 0.0)
while data := sys.stdin.buffer.read(65536):
    for event in reader.feed(data):
        log.show(event, 1.0)
        progress.take(event)
print(progress.working())
print("kB", re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


def blob(character: str) -> str:
    return character * (10_000_000 // len(character))


WRITTEN = {"originalFile": "b\n" * 5_000_000}
LARGE: dict[str, Any] = {
    "a result of 10 MB": lambda: call("Bash", {"command": "x"}, blob("a")),
    "escapes": lambda: call("Bash", {"command": "x"}, blob("\x07")),
    "emoji": lambda: call("Bash", {"command": "x"}, "\U0001f600" * 2_000_000),
    "lines": lambda: call("Bash", {"command": "x"}, blob("\n")),
    "an image": lambda: call("Read", {"file_path": "a"}, [{"type": "image", "source": {"data": blob("A")}}]),
    "a command": lambda: call("Bash", {"command": blob("a")}),
    "a file": lambda: call("Write", {"file_path": "a", "content": blob("a\n")}, "ok", details=WRITTEN),
    "a text": lambda: [said(blob("a"))],
    "an answer": lambda: [ended(blob("a"))],
    "a name": lambda: [called(blob("a"), {})],
    "many small lists": lambda: [called("Bash", {"command": [[]] * 3_000_000})],
    "many small objects": lambda: [called("Bash", {str(number): {} for number in range(500_000)})],
    "lists within the limit": lambda: [called("Bash", {"a": [[]] * 240_000}, str(number)) for number in range(10)],
    "many calls without results": lambda: [
        called("Bash", {"command": "a" * 120_000, "b": "c" * 120_000}, str(number)) for number in range(80)
    ],
    "many texts": lambda: [said("a\n" * 30_000) for _ in range(30)],
    "many steps": lambda: [line for number in range(1_000) for line in edit(f"{number}.py")],
    "many long paths": lambda: [line for number in range(60) for line in edit("a" * 90_000 + str(number))],
    "many refusals": lambda: [ended(permission_denials=[{"tool_name": f"{'a' * 100_000}{n}"}]) for n in range(60)],
    "many tools": lambda: [start(tools=["Bash"] * 900_000)],
}


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("lines", LARGE.values(), ids=LARGE)
def test_memory_stays_below_100_megabytes(lines: Any) -> None:
    data = stream(start(), *lines(), said("still here"))
    done = subprocess.run([sys.executable, "-c", MEASURED], input=data, capture_output=True, timeout=120, check=True)
    written = done.stdout.decode()
    assert "● still here\n" in written
    assert int(written.rpartition("kB ")[2]) < MEGABYTES * 1000
    assert len(written) < 5_000_000


def test_a_result_with_everything_is_valid_json_and_a_valid_report() -> None:
    for text in [*CONTROLS.values(), *COMMANDS]:
        result = watch(everywhere(text)).result
        assert json.loads(result.json())["ending"] == "failed"
        assert [line.partition("=")[0][:7] for line in result.dotenv().split("\n")] == ["CLAUDE_"] * 10 + [""]
