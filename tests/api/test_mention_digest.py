"""The digest of a mention: the same for a webhook's payload and for GitLab's API, and another one after an edit."""

import hashlib

import pytest

from gitlab_mcp.api.mention_digest import mention_digest

UPLOAD = "uploads/0123456789abcdef0123456789abcdef/screen shot.png"


def test_the_digest_is_that_of_the_three_texts_as_json() -> None:
    expected = hashlib.sha256('["@claude fix","Crash ü","a\\r\\nb"]'.encode()).hexdigest()
    assert mention_digest("@claude fix", "Crash ü", "a\r\nb") == expected


# The address of an image as somebody wrote it, and as a webhook's payload has it.
ADDRESSES = {
    "upload": (f"/{UPLOAD}", f"https://gitlab.example.com/group/app/{UPLOAD}"),
    "upload-without-slash": (UPLOAD, f"https://gitlab.example.com/group/app/{UPLOAD}"),
    "upload-below-a-path": (f"/{UPLOAD}", f"http://10.0.0.1:8080/gitlab/group/sub/app/{UPLOAD}"),
    "relative": ("docs/a.png", "https://gitlab.example.com/docs/a.png"),
    "absolute": ("https://example.com/a.png", "https://example.com/a.png"),
    "other-scheme": ("//example.com/a.png", "//example.com/a.png"),
}


@pytest.mark.parametrize(("written", "sent"), ADDRESSES.values(), ids=ADDRESSES)
def test_an_image_in_the_description_has_the_same_digest_in_a_payload(written: str, sent: str) -> None:
    text = "Before ![a picture]({}) and ![]({}) after"
    assert mention_digest("c", "t", text.format(written, written)) == mention_digest("c", "t", text.format(sent, sent))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("![a](/docs/a.png)", "![a](/docs/b.png)"),
        ("![a](/docs/a.png)", "![b](/docs/a.png)"),
        ("[a](https://a.example.com/x)", "[a](https://b.example.com/x)"),
        ("a", "a "),
    ],
    ids=["file", "title", "link", "blank"],
)
def test_an_edit_of_the_description_changes_the_digest(before: str, after: str) -> None:
    assert mention_digest("c", "t", before) != mention_digest("c", "t", after)


def test_the_texts_do_not_run_into_each_other() -> None:
    assert len({mention_digest("a", "b", ""), mention_digest("ab", "", ""), mention_digest("", "a", "b")}) == 3


def test_a_description_made_of_brackets_takes_no_time() -> None:
    assert len(mention_digest("", "", "![" * 500_000 + "(/" * 500_000)) == 64
