"""What GitLab sends cannot fill the memory, and a kill at any moment leaves nothing behind."""

import asyncio
import gzip
import random
import signal
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.network.servers import Respond, answering, json_answer
from tests.protocol.process import ServerProcess, environment, server
from tests.support.git_clones import clone, snapshot
from tests.support.gitlab_requests import get
from tests.support.machine import needs_proc
from tests.support.pictures import chunk, png

MEGABYTE = 1_000_000


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Connection", "close")
    handler.end_headers()
    while True:
        handler.wfile.write(b'["x",' * 20_000)


def large(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(200 * MEGABYTE))
    handler.end_headers()
    for _ in range(200):
        handler.wfile.write(b" " * MEGABYTE)


def large_picture(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(200 * MEGABYTE))
    handler.end_headers()
    handler.wfile.write(PICTURE[:MEGABYTE])
    for _ in range(199):
        handler.wfile.write(b"\0" * MEGABYTE)


def endless_picture(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    while True:
        handler.wfile.write(PICTURE[:MEGABYTE])


def body(data: bytes) -> Respond:
    return lambda handler: json_answer(handler, data)


BOMB = gzip.compress(b" " * 200 * MEGABYTE)
ANSWERS: dict[str, Respond] = {
    "200 MB": large,
    "endless": endless,
    "a gzip bomb": lambda handler: json_answer(handler, BOMB, headers={"Content-Encoding": "gzip"}),
    "HTML": lambda handler: json_answer(handler, b"<html>" * MEGABYTE, headers={"Content-Type": "text/html"}),
    "truncated JSON": body(b'[{"iid": 7, "title": "' + b"x" * MEGABYTE),
    "millions of empty lists": body(b"[" + b"[]," * 3_500_000 + b"[]]"),
    "deep nesting": body(b"[" * 5 * MEGABYTE),
    "one long text": body(b'[{"title": "' + "\U0001f389".encode() * 2 * MEGABYTE + b'"}]'),
}


@needs_proc
@pytest.mark.parametrize("answer", ANSWERS)
async def test_whatever_gitlab_sends_the_server_stays_under_150_mb_and_says_what_it_was(answer: str) -> None:
    with answering(ANSWERS[answer]) as gitlab:
        async with server(environment(gitlab.url)) as child:
            await child.initialize()
            for tool, arguments in (("list_issues", {}), ("get_file", {"path": "x", "ref": "main"})):
                child.call(tool, **arguments)
                told = await child.read()
                assert "error" not in told
            peak = most_memory(child)
    assert peak < 150 * MEGABYTE


def most_memory(child: ServerProcess) -> int:
    """The most bytes of memory that a server has had so far."""
    status = Path(f"/proc/{child.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


PICTURE = png(before_end=chunk(b"IDAT", b"\0" * 5 * MEGABYTE))
PICTURES: dict[str, tuple[Respond, str]] = {
    "200 MB": (large_picture, "PNG image · 4 x 3 pixels · 200.0 MB"),
    "endless": (endless_picture, "PNG image · 4 x 3 pixels · size unknown"),
    "a gzip bomb": (
        lambda handler: json_answer(
            handler, gzip.compress(PICTURE[:50] + b"\0" * 200 * MEGABYTE), headers={"Content-Encoding": "gzip"}
        ),
        "PNG image · 4 x 3 pixels · size unknown",
    ),
    "a PNG that inflates to 200 MB more than it has": (body(png(4, 3, pixels=b"\0" * 200 * MEGABYTE)), "PNG image · 4"),
    "a PNG that inflates to 50 MB": (body(png(8000, 6250)), ""),
    "200 MB of text": (large, "text · 200.0 MB"),
}


@needs_proc
@pytest.mark.parametrize(("answer", "head"), PICTURES.values(), ids=PICTURES)
async def test_whatever_was_attached_the_server_stays_under_150_mb(answer: Respond, head: str) -> None:
    with answering(answer) as gitlab:
        async with server(environment(gitlab.url)) as child:
            await child.initialize()
            child.call("get_attachment", url=f"/uploads/{'0' * 32}/shot.png")
            told = await child.read()
            peak = most_memory(child)
    assert head in told["result"]["content"][0]["text"]
    assert [block["type"] for block in told["result"]["content"]] == (["text"] if head else ["text", "image"])
    assert peak < 150 * MEGABYTE


def noisy_picture() -> bytes:
    """A PNG of 3.8 MB, which is about as large as a model takes."""
    noise = random.Random(7)  # noqa: S311  # the same picture in every run
    return png(1950, 1950, pixels=b"".join(b"\0" + noise.randbytes(1950) for _ in range(1950)))


@needs_proc
async def test_ten_large_images_at_once_stay_under_150_mb() -> None:
    with answering(body(noisy_picture())) as gitlab:
        async with server(environment(gitlab.url)) as child:
            await child.initialize()
            for _ in range(2):
                for _ in range(10):
                    child.call("get_attachment", url=f"/uploads/{'0' * 32}/shot.png")
                for _ in range(10):
                    told = await child.read()
                    assert [block["type"] for block in told["result"]["content"]] == ["text", "image"]
            peak = most_memory(child)
    assert peak < 150 * MEGABYTE


def logs_of_1_and_100_mb(handler: BaseHTTPRequestHandler) -> None:
    """The job that has the id 100 has a log of 100 MB, and any other job one of 1 MB."""
    if not handler.path.endswith("/trace"):
        return json_answer(handler, b'{"id": 1, "status": "failed"}')
    thousands = 100 if "/100/" in handler.path else 1
    line = b"x" * 999 + b"\n"
    handler.send_response(200)
    handler.send_header("Content-Length", str(thousands * MEGABYTE))
    handler.end_headers()
    for _ in range(thousands):
        handler.wfile.write(line * 1000)
    return None


@needs_proc
async def test_a_log_of_100_mb_is_read_to_its_end_in_20_mb_more_than_one_of_1_mb() -> None:
    with answering(logs_of_1_and_100_mb) as gitlab:
        async with server(environment(gitlab.url)) as child:
            await child.initialize()
            child.call("get_job_log", job_id=1)
            await child.read()
            before = most_memory(child)  # that of Python and of what it imports, which differs between versions
            child.call("get_job_log", job_id=100)
            told = await child.read()
            after = most_memory(child)
    assert "100,000 lines" in told["result"]["content"][0]["text"]
    assert after - before < 20 * MEGABYTE


async def test_a_kill_at_any_moment_leaves_no_half_written_file_and_no_lock(tmp_path: Path) -> None:
    chosen = random.Random(7)  # noqa: S311  # the same moments in every run
    with Sandbox() as gitlab:
        work = clone(gitlab, "main", tmp_path / "work")
        for number in range(300):
            (work / f"file-{number}.txt").write_text("x" * 1000)
        before = snapshot(work)
        ci = {
            "GITLAB_CI": "true",
            "CI_SERVER_URL": gitlab.url,
            "CI_PROJECT_PATH": "acme/app",
            "CI_PROJECT_DIR": str(work),
        }
        env = environment(gitlab.url, gitlab.tokens["maintainer"], HOME=str(tmp_path), **ci)
        for number in range(8):
            async with server(env) as child:
                await child.initialize()
                child.call("commit_files", branch=f"kill-{number}", ref="main", message="m", paths=["**"])
                with_in = asyncio.create_task(child.process.wait())
                await asyncio.wait({with_in}, timeout=chosen.uniform(0, 0.6))
                child.process.send_signal(signal.SIGKILL)
                await with_in
        assert snapshot(work) == before
        # What did land is whole: a commit is all or nothing.
        for branch in get(gitlab, "/repository/branches?search=^kill-&per_page=100"):
            compared = get(gitlab, f"/repository/compare?from=main&to={branch['name']}")
            assert len(compared["diffs"]) == 300
