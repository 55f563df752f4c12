"""The store: one SQLite file that holds sweeps, trials, every loss and every measurement."""
