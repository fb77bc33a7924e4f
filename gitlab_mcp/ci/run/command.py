"""One run, from its options to its exit code.

What this module asks of the others, so that each can be built and tested by itself:

- `ci.run.prompt`: from RunOptions, Settings, the GitLab client, the environment and a function that reads a file of the
  target branch (`Callable[[str], str]`, raises NotFound) comes a prompt: its text as bytes for standard input, whether
  anybody may have written it (then the tools are narrower and file mentions are off), the thread that the run answers
  in (None: nobody waits), and whether the subject is confidential.
- `claude_code.stream`: a reader that is fed bytes and yields events. Read here: the start (names and status of MCP
  servers, version), each retry of the model's API (its status), the result.
- Followers (`ci.run.log`, `render.progress` with `api.tracking_note`) get every event, a tick every second, and the
  ending at last. They never raise.
- `ci.run.result`: the outcome, from the ending and the events; it has the exit code and writes the files.
"""
