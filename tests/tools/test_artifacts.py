"""list_job_artifacts and get_job_artifact: the tree of an archive, and one file of it, without the archive."""

import pytest

from gitlab_mcp.config.settings import Settings
from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.pictures import png
from tests.support.seed import SEED
from tests.support.settings import job_settings, settings_for

TOOLS = ("get_pipeline", "list_job_artifacts", "get_job_artifact")


@pytest.fixture
def job(sandbox: Sandbox) -> int:
    """The id of a failed job with artifacts."""
    unit = sandbox.fail_pipeline("feature/verbose-flag").jobs[-1]
    unit.artifacts |= {"shots/a b.png": png(), "shots/deep/log.txt": b"x\n" * 60_000, "tree": b"", "data.bin": b"\0"}
    sandbox.faults.clear_requests()
    return unit.id


def by_token(sandbox: Sandbox) -> Settings:
    return settings_for(sandbox, tools=TOOLS)


def by_job(sandbox: Sandbox) -> Settings:
    return job_settings(sandbox, tools=TOOLS)


@pytest.mark.parametrize("settings", [by_token, by_job], ids=["access token", "job token"])
async def test_the_tree_and_a_file_are_read_with_either_token(sandbox: Sandbox, job: int, settings: object) -> None:
    assert callable(settings)
    async with connect(settings(sandbox)) as agent:
        assert await agent.call("list_job_artifacts", job_id=job) == (
            f"# Artifacts of job {job}: 5 entries\n"
            "coverage/\nshots/\ndata.bin · 1 byte\nreport.txt · 19 bytes\ntree · 0 bytes"
        )
        report = await agent.call("get_job_artifact", job_id=job, path="report.txt")
        assert report == "# report.txt · text · 19 bytes\n> 1 failed, 2 passed"
        text, media_type, content = await agent.picture("get_job_artifact", job_id=job, path="shots/a b.png")
    assert (text.split(" · ")[0], media_type, content) == ("# shots/a b.png", "image/png", png())
    assert not [each for each in sandbox.faults.requests() if each["path"].endswith("/artifacts")]


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        ({"path": "shots/"}, ["shots/deep/", "shots/a b.png · 71 bytes"]),
        (
            {"path": "shots", "recursive": True},
            ["shots/deep/", "shots/a b.png · 71 bytes", "shots/deep/log.txt · 120.0 KB"],
        ),
    ],
    ids=["a folder", "with its subfolders"],
)
async def test_a_folder_of_the_archive_is_listed(
    sandbox: Sandbox, job: int, arguments: dict[str, object], rows: list[str]
) -> None:
    async with connect(by_token(sandbox)) as agent:
        answer = await agent.call("list_job_artifacts", job_id=job, **arguments)
    assert answer.split("\n") == [f"# Artifacts of job {job} in shots: {len(rows)} entries", *rows]


async def test_a_job_is_known_by_its_url_and_long_lists_and_texts_have_pages(sandbox: Sandbox, job: int) -> None:
    unit = next(each for line in sandbox.world.projects[1].pipelines.values() for each in line.jobs if each.id == job)
    unit.artifacts |= {f"many/{number:03}.txt": b"" for number in range(120)}
    page = f"{sandbox.url}/acme/app/-/jobs/{job}"
    async with connect(by_token(sandbox)) as agent:
        first = await agent.call("list_job_artifacts", job_id=page, path="many")
        assert first.startswith(f"# Artifacts of job {job} in many: 100 entries of 120")
        assert '"page": 2}' in first.split("\n")[-1]
        assert "many/119.txt" in await agent.call("list_job_artifacts", job_id=job, path="many", page=2)
        text = await agent.call("get_job_artifact", job_id=page, path="shots/deep/log.txt")
    assert text.split("\n")[-1].startswith('next: get_job_artifact {"job_id": ')


MISSING = {
    "a job without artifacts": ({"job_id": SEED.ended_job}, "404 Artifacts Not Found"),
    "no such job": ({"job_id": 99_999}, "GitLab lists them in version 18.8 and newer only"),
    "no such folder": ({"path": "none"}, "404 Path Not Found"),
}


@pytest.mark.parametrize(("arguments", "message"), MISSING.values(), ids=MISSING)
async def test_what_is_not_there_is_said(
    sandbox: Sandbox, job: int, arguments: dict[str, object], message: str
) -> None:
    async with connect(by_token(sandbox)) as agent:
        assert message in await agent.refused("list_job_artifacts", **{"job_id": job, **arguments})


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("../../etc/passwd", 'no ".", ".." or empty part'),
        ("/etc/passwd", "not an absolute one"),
        ("a//b", "empty part"),
        ("tree", 'GitLab does not send a file called "tree"'),
        ("none.txt", "404"),
    ],
)
async def test_a_path_that_leads_out_is_refused(sandbox: Sandbox, job: int, path: str, message: str) -> None:
    async with connect(by_token(sandbox)) as agent:
        assert message in await agent.refused("get_job_artifact", job_id=job, path=path)


async def test_links_and_names_that_lead_out_are_marked_in_the_list(sandbox: Sandbox, job: int) -> None:
    entries = [
        {"name": "passwd", "path": "passwd", "type": "file", "size": 11, "mode": "120777"},
        {"name": "x", "path": "../../x", "type": "file", "size": 1, "mode": "100644"},
        {"name": "y", "path": "/etc/y\n# Heading\u202e", "type": "file", "size": 1, "mode": "100644"},
    ]
    sandbox.faults.fail("GET", "/artifacts/tree", 200, entries)
    async with connect(by_token(sandbox)) as agent:
        answer = await agent.call("list_job_artifacts", job_id=job)
    assert answer.split("\n")[1:] == [
        "passwd · 11 bytes · a link, which is not followed",
        "../../x · 1 byte · leads out of the archive, and is not read",
        "/etc/y # Heading · 1 byte · leads out of the archive, and is not read",
    ]


async def test_a_file_that_unpacks_to_gigabytes_is_read_as_far_as_its_beginning(sandbox: Sandbox, job: int) -> None:
    unit = next(each for line in sandbox.world.projects[1].pipelines.values() for each in line.jobs if each.id == job)
    unit.artifacts["bomb.txt"] = b"x" * 30_000_000
    async with connect(by_token(sandbox)) as agent:
        answer = await agent.call("get_job_artifact", job_id=job, path="bomb.txt")
    assert answer.startswith("# bomb.txt · text · 30.0 MB")
    assert "Only its beginning is shown." in answer


async def test_without_premium_the_refusal_of_a_job_token_says_what_it_needs(sandbox: Sandbox, job: int) -> None:
    sandbox.faults.fail("GET", "/artifacts/", 404, {"message": "404 Project Not Found"}, times=2)
    async with connect(by_job(sandbox)) as agent:
        for tool, path in (("list_job_artifacts", ""), ("get_job_artifact", "report.txt")):
            told = await agent.refused(tool, job_id=job, path=path)
            assert told.endswith("GitLab lets job tokens read artifacts with Premium or Ultimate.")


async def test_the_tools_are_opt_in(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert "--toolsets default,pipelines adds it" in await agent.refused("list_job_artifacts", job_id=1)
