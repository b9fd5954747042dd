"""One cluster for all tests in this folder."""

from collections.abc import Iterator

import pytest

from tests.e2e.place import Place, place


@pytest.fixture(scope="session")
def cluster() -> Iterator[Place]:
    """Give a cluster in which Tidemill runs. It is left as it is: whoever made it may want to look at it."""
    yield place()
