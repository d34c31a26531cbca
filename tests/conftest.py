"""The profiles of hypothesis: random at home, reproducible in CI; deadlines only make slow machines fail."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("home", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("home"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "home")
if os.environ.get("SANSTICKET_QUICK"):
    # The same tests on one more interpreter: a quarter of the examples, the full number is tried by ``tox -e cov``.
    settings.register_profile("quick", settings(), max_examples=25)
    settings.load_profile("quick")
