"""The column of GitLab's own server, which is a part of GitLab and cannot be started here: what its documents say.

The documents are doc/user/model_context_protocol/mcp_server.md and mcp_server_tools.md of GitLab, as they were for
GitLab 19.4 and 19.5. What they do not say is "not documented".
"""

from __future__ import annotations

from benchmarks.comparison import probes
from benchmarks.comparison.probes import PROBES, Probe

NAME = "GitLab's own server"
_SILENT = "not documented"
_BY_PROBE: dict[Probe, str] = {
    # get_work_item with notes, get_repository_file, add_commit with start_branch, save_merge_request, save_note.
    probes.workflow: "5, without a list of files",
    probes.definitions: _SILENT,
    probes.all_tools: "36 tools",
    probes.start: "nothing to start",
    probes.job_token: "no: it signs in with OAuth in a browser",
    probes.lost_response: _SILENT,
    probes.quick_actions: "refused",
    probes.mentions: _SILENT,
    probes.invisible: _SILENT,
    probes.secrets: _SILENT,
    probes.image: "no tool",
    probes.artifact: "no tool",
    probes.draft: "no tool",
    probes.read_only: "a header that names the tools to list",
    probes.one_project: _SILENT,
    probes.relative_url: _SILENT,
}
CELLS = {title: _BY_PROBE[probe] for title, probe in PROBES.items()}
