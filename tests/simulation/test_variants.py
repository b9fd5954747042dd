"""Tests of the simulation: a protocol with a mistake in it does not pass, whichever of many it is."""

import pytest

from tests.simulation.test_simulation import simulated
from tests.simulation.variants import VARIANTS, Variant, changed


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_the_mistake_can_be_made(variant: Variant) -> None:
    assert changed(variant)


@pytest.mark.timeout(3600)
def test_every_mistake_is_noticed() -> None:
    found = simulated("--variants")
    assert set(found) == {variant.name for variant in VARIANTS}
    assert all(found.values()), found


def test_there_is_a_variant_for_each_kind_of_mistake() -> None:
    assert len(VARIANTS) >= 20
