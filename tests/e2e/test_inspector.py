"""The MCP Inspector's command line against the real server and the sandbox."""

import json

import pytest

from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.tools import TOOLS
from tests.e2e.inspector import INSPECTOR, inspect
from tests.support.seed import SEED

pytestmark = pytest.mark.skipif(INSPECTOR is None, reason="mcp-inspector is not on PATH; .ci/run installs it")

# https://github.com/modelcontextprotocol/inspector: 0 is success, 5 a tool that answered with isError or is not there.
TOOL_ERROR = 5


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_it_lists_every_tool(sandbox: Sandbox, era: str) -> None:
    code, answer = inspect(sandbox, "--method", "tools/list", "--strict", era=era)
    assert code == 0
    # The Inspector leaves out, in silence, a tool whose schema it does not accept.
    assert [tool["name"] for tool in answer["tools"]] == [each.name for each in TOOLS if not each.opt_in]


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_it_calls_a_tool_with_an_argument_in_each_form(sandbox: Sandbox, era: str) -> None:
    for iid in ("7", "#7", f"{sandbox.url}/acme/app/-{SEED.crash_issue.path}"):
        call = ("--method", "tools/call", "--tool-name", "get_issue", "--tool-arg", f"iid={iid}")
        code, answer = inspect(sandbox, *call, era=era)
        assert code == 0
        assert answer["content"][0]["text"].startswith("# #7 Crash")


def test_it_commits_files_and_opens_a_merge_request(sandbox: Sandbox) -> None:
    arguments = {
        "branch": "from-the-inspector",
        "ref": "main",
        "message": "Add a file",
        "actions": [{"path": "inspected.txt", "content": "x\n"}],
        "merge_request": {"title": "Add a file"},
    }
    call = ("--method", "tools/call", "--tool-name", "commit_files", "--tool-args-json", json.dumps(arguments))
    code, answer = inspect(sandbox, *call)
    assert code == 0
    assert "1 added." in answer["content"][0]["text"]
    assert "Opened !" in answer["content"][0]["text"]


def test_an_error_of_a_tool_arrives_with_its_reason_and_exit_code_5(sandbox: Sandbox) -> None:
    code, answer = inspect(sandbox, "--method", "tools/call", "--tool-name", "get_issue", "--tool-arg", "iid=999")
    assert code == TOOL_ERROR
    assert "404 Issue Not Found" in answer["content"][0]["text"]
