"""What a push that was not done means, from the texts of git 2.31 to 2.55 on the server.

The texts are those of builtin/receive-pack.c (the reason), refs.c and refs/files-backend.c (the message, which follows
"remote:"). Up to git 2.50 the reason is "failed to update ref", and the message says why. From 2.51 the reason says why
(ref_transaction_error_msg), until 2.53 without a message. From 2.51.1 "reference already exists" is also the reason for
a ref whose lock another process holds.
"""

from pathlib import Path

import pytest

from gitlab_mcp.git.push import PushStatus, RefLocked, push
from gitlab_mcp.git.session import GitSession
from tests.support.fake_git import fake_git

REF = "refs/heads/topic"
OLD, NEW = "1" * 40, "2" * 40
LOCK = f"Unable to create '/repositories/app.git/{REF}.lock': File exists."
FAILED, FAILED_ALL = "failed to update ref", "failed to update refs"
EXISTS = "reference already exists"

STALE, LOCKED, REJECTED, CLASH = "stale", "locked", "rejected", "clash"
CREATION, UPDATE = "", OLD

# (the first version of git and what happened, the commit expected, whether the branch exists afterwards, reason,
# message, outcome)
CASES = [
    ("2.31 exists", CREATION, True, FAILED, f"cannot lock ref '{REF}': {EXISTS}", STALE),
    ("2.31 moved", UPDATE, True, FAILED, f"cannot lock ref '{REF}': is at {NEW} but expected {OLD}", STALE),
    ("2.31 deleted", UPDATE, False, FAILED, f"cannot lock ref '{REF}': unable to resolve reference '{REF}'", STALE),
    (
        "2.31 deleted, packed",
        UPDATE,
        False,
        FAILED,
        f"cannot lock ref '{REF}': reference is missing but expected {OLD}",
        STALE,
    ),
    ("2.31 locked", UPDATE, True, FAILED, f"cannot lock ref '{REF}': {LOCK}", LOCKED),
    ("2.31 locked, to be created", CREATION, False, FAILED, f"cannot lock ref '{REF}': {LOCK}", LOCKED),
    (
        "2.31 clash",
        CREATION,
        False,
        FAILED,
        f"cannot lock ref '{REF}': 'refs/heads/a' exists; cannot create '{REF}'",
        CLASH,
    ),
    ("2.45 reftable locked", UPDATE, True, FAILED, "cannot lock references", LOCKED),
    ("2.51 exists", CREATION, True, EXISTS, "", STALE),
    ("2.51 moved", UPDATE, True, "incorrect old value provided", "", STALE),
    ("2.51 deleted", UPDATE, False, "reference does not exist", "", STALE),
    ("2.51.0 locked", UPDATE, True, FAILED_ALL, f"cannot lock ref '{REF}': {LOCK}", LOCKED),
    ("2.51.0 locked, to be created", CREATION, False, FAILED_ALL, f"cannot lock ref '{REF}': {LOCK}", LOCKED),
    ("2.51 reftable locked", UPDATE, True, FAILED_ALL, "cannot lock references", LOCKED),
    ("2.51 clash", CREATION, False, "refname conflict", "", REJECTED),
    ("2.51 other", UPDATE, True, "invalid new value provided", "", REJECTED),
    ("2.53 locked", UPDATE, True, EXISTS, "", LOCKED),
    ("2.53 locked, to be created", CREATION, False, EXISTS, "", LOCKED),
    ("2.54 exists", CREATION, True, EXISTS, f"cannot lock ref '{REF}': {EXISTS}", STALE),
    ("2.54 moved", UPDATE, True, "incorrect old value provided", f"cannot lock ref '{REF}': is at {NEW}", STALE),
    ("2.54 locked", UPDATE, True, EXISTS, f"cannot lock ref '{REF}': {LOCK}", LOCKED),
    ("2.54 locked, to be created", CREATION, False, EXISTS, f"cannot lock ref '{REF}': {LOCK}", LOCKED),
    ("2.54 clash", CREATION, False, "refname conflict", f"'refs/heads/a' exists; cannot create '{REF}'", CLASH),
    ("a hook", UPDATE, True, "pre-receive hook declined", f"cannot lock ref '{REF}': {EXISTS}", REJECTED),
]


@pytest.mark.parametrize(
    ("expected", "exists", "reason", "message", "outcome"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_a_push_that_was_not_done_is_read_alike_from_every_version_of_git(
    expected: str,
    exists: bool,
    reason: str,
    message: str,
    outcome: str,
    session: GitSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session.directory()  # made by the real git
    texts = {"refs": f"{OLD}\t{REF}\n" if exists else "", "row": f"!\t{NEW}:{REF}\t[remote rejected] ({reason})\n"}
    texts["message"] = f"remote: error: {message}\n" if message else ""
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    fake_git(
        tmp_path,
        monkeypatch,
        f'cd {tmp_path}\ncase " $* " in *" ls-remote "*) exec cat refs;; esac\ncat message >&2\ncat row\nexit 1\n',
    )
    if outcome == LOCKED:
        with pytest.raises(RefLocked, match=reason):
            push(session, "topic", NEW, expected, [])
        return
    pushed = push(session, "topic", NEW, expected, [])
    assert (pushed.status is PushStatus.STALE) == (outcome == STALE)
    assert pushed.clash == (("topic", "a") if outcome == CLASH else None)
