"""`gitlab-mcp-server run`: one run of Claude Code in a job or at a terminal, watched and reported.

`command.run` goes through it in order: options and settings, the prompt, what Claude Code is started with (environment,
files for the server, arguments), the process, then each event of its stream to whoever follows the run, and the ending.
"""
