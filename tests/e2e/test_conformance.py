"""MCP's conformance suite against the server: what fails is only what the server does not have, for the reason given.

The suite speaks HTTP alone, so that the server runs behind the SDK's own HTTP transport. Instant start and the light
import of the SDK are parts of stdio: test_manifest, test_opening and test_sdk_import prove that with them the answers
are the same as here.
"""

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.settings import settings_for
from tests.support.streamable_http import served_over_http

SUITE = shutil.which("conformance")
TIMEOUT = 300.0

pytestmark = pytest.mark.skipif(SUITE is None, reason="conformance is not on PATH; .ci/run installs it")

# By reason, the checks that fail, by the suite's ids; the ids that fail in one revision alone follow below.
FAILING = {
    "the server has no resources": {
        "resources-list",
        "resources-read-binary",
        "resources-read-text",
        "resources-templates-read",
    },
    "the server does not complete arguments": {"completion-complete"},
    "the check calls a tool of the suite's own server that returns more than text, which no tool here does": {
        "tools-call-audio",
        "tools-call-embedded-resource",
        "tools-call-image",
        "tools-call-mixed-content",
    },
    "the check calls a tool of the suite's own server that reports progress": {"tools-call-with-progress"},
    "the check asks for a tool or prompt of the suite's own server": {
        "json-schema-2020-12-tool-found",
        "prompts-get-embedded-resource",
        "prompts-get-simple",
        "prompts-get-with-args",
        "prompts-get-with-image",
    },
}
FAILING_IN_2025_11_25 = {
    "the server has no resources": {"resources-subscribe", "resources-unsubscribe"},
    "the server sends no log messages to the client": {"logging-set-level", "tools-call-with-logging"},
    "no tool here asks the user or the model": {
        "elicitation-sep1034-general",
        "elicitation-sep1330-general",
        "tools-call-elicitation",
        "tools-call-sampling",
    },
    "streams cannot be resumed without an event store, which HTTP alone has": {"incoming-sse-event"},
}
FAILING_IN_2026_07_28 = {
    "the server has no resources": {
        "sep-2549-resources-list-caching-hints",
        "sep-2549-resources-templates-list-caching-hints",
    },
    "no tool here needs a capability of the client": {
        "sep-2575-missing-capability-http-400",
        "sep-2575-server-rejects-undeclared-capability",
    },
    "no tool here takes an argument from an HTTP header": {
        "sep-2243-server-decode-base64",
        "sep-2243-server-no-xmcp-tool",
        "sep-2243-server-reject-invalid-param-chars",
        "sep-2243-server-reject-param-mismatch",
        "sep-2243-server-validate-param-match",
    },
    "no tool here asks the user or the model": {
        "sep-2322-elicitation-incomplete",
        "sep-2322-list-roots-incomplete",
        "sep-2322-multi-round-r1",
        "sep-2322-multiple-inputs-incomplete",
        "sep-2322-non-tool-incomplete",
        "sep-2322-reject-tampered-state",
        "sep-2322-request-state-incomplete",
        "sep-2322-respect-client-capabilities",
        "sep-2322-result-type-included",
        "sep-2322-sampling-incomplete",
    },
}
# A scenario whose name begins so is of an extension that the server does not declare.
EXTENSION = "tasks-"
EXPECTED = {"2025-11-25": FAILING_IN_2025_11_25, "2026-07-28": FAILING_IN_2026_07_28}
# The fewest checks that succeed, so that a suite that runs nothing does not pass.
SUCCEEDING = {"2025-11-25": 40, "2026-07-28": 80}


@pytest.mark.parametrize("revision", EXPECTED)
def test_the_suite_fails_only_where_the_server_lacks_the_feature(
    sandbox: Sandbox, tmp_path: Path, revision: str
) -> None:
    with served_over_http(settings_for(sandbox)) as url:
        command = [str(SUITE), "server", "--url", url, "--requirements", revision, "--output-dir", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    statuses: Counter[str] = Counter()
    failed: set[str] = set()
    for file in tmp_path.glob("server-*/checks.json"):
        if not file.parent.name.startswith(f"server-{EXTENSION}"):
            checks = json.loads(file.read_text())
            statuses.update(check["status"] for check in checks)
            failed |= {check["id"] for check in checks if check["status"] == "FAILURE"}
    assert statuses["SUCCESS"] >= SUCCEEDING[revision], done.stdout + done.stderr
    assert failed == set().union(*FAILING.values(), *EXPECTED[revision].values())
