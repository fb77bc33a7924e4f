"""What several modules of the end-to-end tests share."""

from collections.abc import Iterator

import pytest

from tests.e2e.images import built


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The images of the Dockerfile by target, built once for all tests."""
    with built(tmp_path_factory.mktemp("images")) as names:
        yield names
