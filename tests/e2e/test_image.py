"""The images of the Dockerfile, really built: small, clean, and of use to MCP clients and in the page's job."""

import json
import mmap
import re
import shlex
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitlab_mcp import __version__
from gitlab_mcp.sandbox import Sandbox
from gitlab_mcp.tools import TOOLS
from tests.e2e.ci_local import QUICK_SETUP
from tests.e2e.claude import fresh_place, model_variables
from tests.e2e.images import MARK, Container, build, buildah, configuration, container_of, needs_buildah, size_of
from tests.e2e.inspector import INSPECTOR, inspect
from tests.e2e.model import Model
from tests.e2e.page_job import TOOLS as TOOLS_OF_THE_JOB
from tests.e2e.page_job import clone, script, variables
from tests.support.ci_job import allow_job_pushes, job_environment
from tests.support.gitlab_requests import get
from tests.support.paths import REPOSITORY

MB = 1_000_000
LIMIT = 300 * MB
DOCS = REPOSITORY / "docs" / "image.md"

# What only building needs, and what came by on the way.
LEFTOVERS = re.compile(
    r"(source|tools|wheels|fetched|run/secrets|tmp|var/lib/apt/lists|var/cache/apt|var/log|root/\.\w+)/."
    r"|(.*/)?(\.git|pip|npm|node_modules|\.cache|hatchling)/"
    r"|.*\.(whl|deb)$"
    r"|(usr/)?(local/)?s?bin/(pip|npm|node|make|cc|gcc|g\+\+|ld)[\d.-]*$"
)

# How GitLab Runner starts an image (shells/bash.go): it asks sh for the best shell, and writes the job to its stdin.
SHELL = "if [ -x /usr/bin/bash ]; then exec /usr/bin/bash; elif [ -x /bin/bash ]; then exec /bin/bash; else exec sh; fi"

pytestmark = needs_buildah


@pytest.fixture(params=["server", "claude"])
def container(request: pytest.FixtureRequest, images: dict[str, str]) -> Iterator[Container]:
    with container_of(images[request.param]) as fresh:
        yield fresh


def test_the_image_with_the_server_has_at_most_300_mb_as_documented(
    images: dict[str, str],
) -> None:
    said = dict(re.findall(r"^\| `(server|claude)` \|.* (\d+) MB \|$", DOCS.read_text(), re.MULTILINE))
    for target, image in images.items():
        with container_of(image) as container:
            size = size_of(container.root)
        assert size == pytest.approx(int(said[target]) * MB, rel=0.1)
        assert target != "server" or size <= LIMIT


def test_no_layer_holds_what_only_building_needs_or_a_secret_of_the_build(
    images: dict[str, str], tmp_path: Path
) -> None:
    # It has the layers of the server's image too.
    buildah("push", "--disable-compression", images["claude"], f"dir:{tmp_path}")
    layers = json.loads((tmp_path / "manifest.json").read_text())["layers"]
    left: list[str] = []
    for layer in layers:
        path = tmp_path / layer["digest"].partition(":")[2]
        with tarfile.open(path, "r:") as files:
            names = [member.name.removeprefix("./") for member in files if not member.isdir()]
        left += filter(LEFTOVERS.match, names)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            assert content.find(MARK.encode()) == -1
    assert left == []
    assert len(layers) > 2
    assert MARK not in json.dumps(configuration(images["claude"]))


def test_an_image_says_what_it_is_and_leaves_it_to_the_runner_what_is_started(images: dict[str, str]) -> None:
    for image in images.values():
        config = configuration(image)["config"]
        label = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
        assert label["version"] == __version__
        assert label["title"].startswith("gitlab-mcp-server")
        assert label["description"]
        assert not config.get("Entrypoint")
        assert config.get("User", "") in ("", "root", "0")
    config = configuration(images["server"])["config"]
    assert config["Labels"]["org.opencontainers.image.licenses"] == "MIT"
    assert config["Cmd"] == ["gitlab-mcp-server", "serve"]


@pytest.mark.skipif(INSPECTOR is None, reason="mcp-inspector is not on PATH; .ci/run installs it")
@pytest.mark.parametrize("user", ["root", "gitlab-mcp"])
def test_the_inspector_lists_and_calls_the_tools_of_the_server_in_the_image(
    container: Container, sandbox: Sandbox, tmp_path: Path, user: str
) -> None:
    names = ("GITLAB_URL", "GITLAB_ACCESS_TOKEN", "GITLAB_PROJECT")
    command = container.command("gitlab-mcp-server", "serve", user=user)
    passed = [f'--env "{name}=${name}"' for name in names]  # as -e NAME of docker run does
    words = [*command[:2], *passed, *map(shlex.quote, command[2:])]
    serve = tmp_path / "serve"
    serve.write_text(f"#!/bin/sh\nexport BUILDAH_ISOLATION=chroot\nexec {' '.join(words)}\n")
    serve.chmod(0o755)
    code, answer = inspect(sandbox, "--method", "tools/list", "--strict", server=[str(serve)])
    assert code == 0
    assert [tool["name"] for tool in answer["tools"]] == [each.name for each in TOOLS if not each.opt_in]
    call = ("--method", "tools/call", "--tool-name", "get_issue", "--tool-arg", "iid=7")
    code, answer = inspect(sandbox, *call, server=[str(serve)])
    assert code == 0
    assert answer["content"][0]["text"].startswith("# #7 Crash")


def test_the_gitlab_that_ships_inside_plays_in_the_image(container: Container) -> None:
    done = container.run("gitlab-mcp-server", "demo", user="gitlab-mcp")
    assert done.returncode == 0, done.stdout + done.stderr


def lines_of_the_job() -> list[str]:
    """The lines of the page's `script:`; a folded one (">") is one line."""
    _, _, text = QUICK_SETUP.partition("\n  script:\n")
    items = [item for item in re.split(r"^    - ", text, flags=re.MULTILINE) if not item.startswith("    #")]
    whole = [re.sub(r"^    #.*\n", "", item, flags=re.MULTILINE) for item in items]
    return [" ".join(item.removeprefix(">").split()) for item in whole]


@pytest.mark.parametrize(
    ("user", "uid", "access_token"),
    [("root", None, True), ("root", None, False), ("gitlab-mcp", 1000, False)],
    ids=["root, access token", "root, job token", "ordinary user, job token"],
)
def test_in_the_image_the_pages_first_job_takes_an_issue_to_a_merge_request(
    images: dict[str, str], fresh_sandbox: Sandbox, user: str, uid: int | None, access_token: bool
) -> None:
    allow_job_pushes(fresh_sandbox)
    lines = lines_of_the_job()
    assert [line.split()[0] for line in lines] == ["/bin/gitlab-mcp-server", "echo", "claude"]
    with (
        fresh_place(uid) as place,
        container_of(images["claude"]) as container,
        Model(script(place, note=access_token), final="It is done.") as model,
    ):
        clone(place, fresh_sandbox)
        given = {
            **job_environment(fresh_sandbox, place.work),
            **variables(fresh_sandbox, access_token=access_token),
            **model_variables(model),
            "CI_API_V4_URL": f"{fresh_sandbox.url}/api/v4",
            "CI_DEFAULT_BRANCH": "main",
        }
        exported = [f"export {name}={shlex.quote(value)}" for name, value in given.items() if name != "PATH"]
        job = "\n".join(("set -o errexit -o pipefail", "set +o noclobber", f"cd {place.work}", *lines))
        stdin = "\n".join((*exported, f"(trap 'exit 1' TERM; eval {shlex.quote(job)}) < /dev/null", "exit $?\n"))
        done = container.run("sh", "-c", SHELL, stdin=stdin, user=user, mount=place.folder)
        assert done.returncode == 0, done
        home = "root" if uid is None else "home/gitlab-mcp"
        registered = (container.root / home / ".claude.json").read_text()

    log = done.stdout + done.stderr
    assert "It is done." in log
    assert model.requests[0].tools_in_full >= TOOLS_OF_THE_JOB
    assert [result.name for result in model.requests[-1].results if result.is_error] == []
    assert json.loads(registered)["mcpServers"]["gitlab"]["command"] == "/bin/gitlab-mcp-server"
    [opened] = get(fresh_sandbox, "/merge_requests?source_branch=7-empty-config")
    assert opened["title"] == "Handle an empty configuration file"
    for secret in (fresh_sandbox.tokens["job"], fresh_sandbox.tokens["developer"]):
        assert secret not in log + registered


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "nothing"], "There is no target nothing: take server, claude or listen.\n"),
        (["--tags"], "There is no option --tags: scripts/build-image --help lists them.\n"),
        (["--tag"], "--tag needs a value.\n"),
        (["--ca", "/no/such/file"], "The CA file /no/such/file cannot be read.\n"),
        (
            ["--base", "no-such-image:1"],
            "no-such-image:1 cannot be fetched, and a stand-in can be made for debian:*-slim only.\n",
        ),
    ],
)
def test_the_script_says_in_one_sentence_why_it_builds_nothing(arguments: list[str], message: str) -> None:
    done = build(*arguments)
    assert done.returncode == 1
    assert message in done.stderr
