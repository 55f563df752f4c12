"""hvdsweep."""
