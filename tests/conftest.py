"""What all tests share: how Hypothesis searches."""

from hypothesis import HealthCheck, settings

# A slow or busy machine is no failure of an example: no deadline for one, and no complaint about slow generation.
settings.register_profile("tidemill", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])

# One run for each mutant: fewer examples, always the same ones.
settings.register_profile("mutants", settings.get_profile("tidemill"), max_examples=25, derandomize=True, database=None)

settings.load_profile("tidemill")
