"""A job of the template: its checkout, its rules, and the npm that installs Claude Code in it."""

from collections.abc import Mapping

from gitlab_mcp.sandbox import Sandbox
from tests.e2e.claude import Place

# npm puts the CLI where its --prefix says.
NPM = """
test "$(pwd)" = / || exit 1
echo "npm $*"
mkdir -p "$HOME/.local/bin" && ln -sf CLAUDE "$HOME/.local/bin/claude" """
ALWAYS: list[Mapping[str, str]] = [{"when": "always"}]


def remote(sandbox: Sandbox, login: str = "") -> str:
    return f"{sandbox.url.replace('://', f'://{login}')}/{sandbox.project}.git"


def commit(place: Place, sandbox: Sandbox, files: Mapping[str, str]) -> None:
    """Commit files to the checkout in the working directory; at first, it is made from the sandbox's main."""
    if not (place.work / ".git").exists():
        place.git("init", "--quiet", "--initial-branch=topic")
        place.git("remote", "add", "origin", remote(sandbox))
        login = f"gitlab-ci-token:{sandbox.tokens['job']}@"
        place.git("fetch", "--quiet", "--depth=1", remote(sandbox, login), "main")
        place.git("reset", "--quiet", "--hard", "FETCH_HEAD")
    for name, text in files.items():
        place.write(str(place.work.relative_to(place.folder) / name), text)
    place.git("add", "--force", ".")
    place.git("commit", "--quiet", "--message", "Files")
