"""The texts of system notes, as SystemNotes::* writes them, and the colors of labels."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.conftest import Api
from tests.support.seed import SEED, SeededItem


def told(api: Api, item: SeededItem, **changes: Any) -> list[str]:
    """The system notes that a change adds to an item."""
    path = f"/projects/:p{item.path}"
    before = len([note for note in api.get(f"{path}/notes", per_page=100) if note["system"]])
    api.put(path, **changes)
    notes = api.get(f"{path}/notes", per_page=100, sort="asc")
    return [note["body"] for note in notes if note["system"]][before:]


@pytest.mark.parametrize(
    ("title", "note"),
    [
        ("Plan the release 1.5", "changed title from **Plan the release 1.{-4-}** to **Plan the release 1.{+5+}**"),
        ("Plan a release 1.4", "changed title from **Plan {-the-} release 1.4** to **Plan {+a+} release 1.4**"),
        ("Plan the release", "changed title from **Plan the release{- 1.4-}** to **Plan the release**"),
    ],
)
def test_only_what_changed_in_a_title_is_marked(maintainer: Api, title: str, note: str) -> None:
    assert told(maintainer, SEED.plan_issue, title=title) == [note]


def test_a_draft_whose_title_changes_too_is_told_both(maintainer: Api) -> None:
    """MergeRequests::BaseService#create_title_change_note"""
    one = SEED.merge_request
    assert told(maintainer, one, title="Draft: Add --verbose") == ["marked this merge request as **draft**"]
    assert told(maintainer, one, title="Add --loud") == [
        "marked this merge request as **ready**",
        "changed title from **{-Draft: Add --verbose-}** to **{+Add --loud+}**",
    ]


@pytest.mark.parametrize(
    ("boxes", "notes"),
    [
        ("- [x] one\n- [ ] two", ["marked the checklist item **one** as completed"]),
        (
            "- [x] one\n- [x] two",
            ["marked the checklist item **one** as completed", "marked the checklist item **two** as completed"],
        ),
        ("- [ ] one", ["changed the description"]),
    ],
)
def test_each_checklist_item_that_changed_is_told(maintainer: Api, boxes: str, notes: list[str]) -> None:
    maintainer.put(f"/projects/:p{SEED.plan_issue.path}", description="- [ ] one\n- [ ] two")
    assert told(maintainer, SEED.plan_issue, description=boxes) == notes


def test_a_cleared_checklist_item_is_incomplete(maintainer: Api) -> None:
    maintainer.put(f"/projects/:p{SEED.plan_issue.path}", description="- [x] one")
    notes = told(maintainer, SEED.plan_issue, description="- [ ] one")
    assert notes == ["marked the checklist item **one** as incomplete"]


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"due_date": "2027-02-03"}, "changed due date to February 3, 2027"),
        ({"discussion_locked": True}, "locked the discussion in this issue"),
        ({"assignee_ids": [4]}, "assigned to @reporter"),
        ({"confidential": True}, "made the issue confidential"),
    ],
)
def test_other_changes_are_told_in_gitlabs_words(maintainer: Api, changes: dict[str, Any], note: str) -> None:
    assert told(maintainer, SEED.plan_issue, **changes) == [note]


@pytest.mark.parametrize(
    ("color", "stored", "text"),
    [
        ("red", "#FF0000", "#FFFFFF"),
        ("Yellow", "#FFFF00", "#1F1E24"),
        ("#abc", "#abc", "#1F1E24"),
        ("#123456", "#123456", "#FFFFFF"),
    ],
)
def test_a_label_is_stored_with_the_code_of_its_color(maintainer: Api, color: str, stored: str, text: str) -> None:
    """Gitlab::Color.of"""
    made = maintainer.post("/projects/:p/labels", name="colored", color=color)
    assert (made["color"], made["text_color"]) == (stored, text)
    changed = maintainer.put("/projects/:p/labels/colored", color="teal")
    assert changed["color"] == "#008080"


def test_a_color_without_a_meaning_is_refused_and_a_new_label_is_blue(maintainer: Api) -> None:
    for body in ({"color": "reddish"}, {"color": "#12345"}):
        refusal = maintainer.refusal("POST", "/projects/:p/labels", name="wrong", **body)
        assert refusal == (400, {"message": {"color": ["must be a valid color code"]}})
    maintainer.put(f"/projects/:p{SEED.plan_issue.path}", add_labels="unheard of")
    assert maintainer.get("/projects/:p/labels/unheard%20of")["color"] == "#6699cc"
