"""Errors that a user can cause and mend. Nothing heavy is imported here: the command line looks for them."""

from __future__ import annotations


class MissingNetworkError(ValueError):
    """An editor needs a network that its domain does not have; one sentence.

    Args:
        network: ``identity``, ``encoder`` or ``perceptual``.
        problem: what needs it, and which domain does not have it.
        instead: what can be set to do without it.
    """

    def __init__(self, network: str, problem: str, instead: str) -> None:
        super().__init__(f"{problem}; {instead}.")
        self.network, self.problem, self.instead = network, problem, instead


class CheckpointError(ValueError):
    """A file that cannot be used, or is not there; one sentence that says what is wrong, and what was expected."""
