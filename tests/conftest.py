"""Settings every test shares: no GPU, quiet TensorFlow, hypothesis without deadlines on a shared machine."""

import os

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.pop("HVDSWEEP_DB", None)
os.environ.setdefault("COLUMNS", "100")

from hypothesis import HealthCheck, settings

settings.register_profile(
    "hvdsweep", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60, print_blob=True
)
settings.load_profile("hvdsweep")
