"""Errors that a user can cause and mend. Nothing heavy is imported here: the command line looks for them."""

from __future__ import annotations


class CheckpointError(ValueError):
    """A file that cannot be used, or is not there; one sentence that says what is wrong, and what was expected."""
