"""The review that docs/review.md shows, done through an MCP client: the page is what happened, word for word."""

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.journeys import review
from tests.support.settings import settings_for
from tests.support.transcript import Transcript


@pytest.fixture
def number(fresh_sandbox: Sandbox) -> int:
    """The merge request that is reviewed."""
    return review.to_review(fresh_sandbox)


@pytest.fixture
async def transcript(fresh_sandbox: Sandbox, number: int) -> Transcript:
    """The whole review, and the answer to it."""
    made = Transcript(fresh_sandbox)
    async with connect(settings_for(fresh_sandbox)) as reviewer:
        await made.play(reviewer, review.review())
    async with connect(settings_for(fresh_sandbox, "developer")) as author:
        await made.play(author, review.answer(number))
    return made


async def test_the_suggestion_is_on_the_right_lines_of_the_file_that_was_renamed(
    fresh_sandbox: Sandbox, transcript: Transcript, number: int
) -> None:
    assert len(transcript.calls) == 6
    review.assert_reviewed(fresh_sandbox, number)


async def test_the_page_on_reviews_shows_what_happened(transcript: Transcript) -> None:
    transcript.assert_shown("review.md", "test_worked_review.py")
