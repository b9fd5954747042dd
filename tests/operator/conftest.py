"""What tests of the operator share: a real API server that knows our kinds."""

from collections.abc import Iterator

import pytest

from tests.operator.cluster import ControlPlane, control_plane
from tidemill_operator.kinds.crd import KINDS, manifest


@pytest.fixture(scope="session")
def bare_api() -> Iterator[ControlPlane]:
    """An API server as it comes."""
    with control_plane() as found:
        yield found


@pytest.fixture(scope="session")
def api(bare_api: ControlPlane) -> ControlPlane:
    """An API server that serves our kinds."""
    bare_api.must("apply", "--server-side", "--force-conflicts", "-f", "-", given=manifest())
    names = [f"crd/{kind.name}" for kind in KINDS]
    bare_api.must("wait", "--for=condition=Established", "--timeout=60s", *names)
    return bare_api


@pytest.fixture
def namespace(api: ControlPlane) -> Iterator[str]:
    """A namespace that the test has to itself."""
    with api.namespace() as name:
        yield name
