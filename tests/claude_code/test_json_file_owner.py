"""A file of somebody else keeps its owner, group and mode when it is rewritten."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from gitlab_mcp.claude_code.json_file import change

NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make and keep files of other users")


@needs_root
@pytest.mark.parametrize("owner", [(NOBODY, NOBODY), (1234, 5678)], ids=["one owner", "another group"])
def test_a_rewritten_file_keeps_its_owner_and_its_group(tmp_path: Path, owner: tuple[int, int]) -> None:
    file = tmp_path / ".claude.json"
    file.write_text('{"kept": 1}')
    os.chown(file, *owner)
    assert change(file, lambda document: not document.update(added=2))
    status = file.stat()
    assert (status.st_uid, status.st_gid) == owner


@needs_root
def test_a_file_that_is_reached_through_a_link_keeps_its_owner_too(tmp_path: Path) -> None:
    file, link = tmp_path / "file.json", tmp_path / "link.json"
    file.write_text("{}")
    os.chown(file, 1234, 5678)
    link.symlink_to(file)
    assert change(link, lambda document: not document.update(added=2))
    assert (file.stat().st_uid, file.stat().st_gid) == (1234, 5678)
    assert link.is_symlink()


@needs_root
def test_who_cannot_give_a_file_away_rewrites_it_all_the_same() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders let nobody else in
        rewrite_as_nobody(Path(name))


def rewrite_as_nobody(folder: Path) -> None:
    file = folder / ".claude.json"
    file.write_text("{}")
    os.chown(folder, NOBODY, NOBODY)
    file.chmod(0o644)
    code = (
        "import os, sys; from pathlib import Path; from gitlab_mcp.claude_code.json_file import change;"
        "import encodings.utf_8_sig;"  # what Python loads of its own must be there before
        f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY});"
        "change(Path(sys.argv[1]), lambda document: not document.update(added=2))"
    )
    subprocess.run([sys.executable, "-c", code, str(file)], check=True, timeout=60)
    assert '"added": 2' in file.read_text()
    assert (file.stat().st_uid, stat.S_IMODE(file.stat().st_mode)) == (NOBODY, 0o644)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_a_rewritten_file_keeps_its_mode_whatever_a_new_one_would_get(tmp_path: Path, mode: int) -> None:
    file = tmp_path / ".claude.json"
    file.write_text("{}")
    file.chmod(mode)
    assert change(file, lambda document: not document.update(added=2), mode=0o666)
    assert stat.S_IMODE(file.stat().st_mode) == mode


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_new_file_gets_the_mode_that_was_asked_for_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        assert change(tmp_path / "secret.json", lambda document: not document.update(added=2))
        assert change(tmp_path / "open.json", lambda document: not document.update(added=2), mode=0o644)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "secret.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "open.json").stat().st_mode) == 0o644


def test_nothing_is_left_beside_a_rewritten_file(tmp_path: Path) -> None:
    file = tmp_path / ".claude.json"
    file.write_text("{}")
    assert change(file, lambda document: not document.update(added=2))
    assert not change(file, lambda _document: False)
    assert [path.name for path in tmp_path.iterdir()] == [".claude.json"]
