"""This machine: what it has, what it is slow at, and what the steps of a run cost on it."""
