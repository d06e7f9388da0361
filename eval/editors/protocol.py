"""What an editor is (``registry`` finds them)."""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

from deltaedit.backbones.latents import Latents
from deltaedit.tools.domain import EditingDomain
from eval.prompts import Prompt


@runtime_checkable
class Editor(Protocol):
    """A method under test.

    The constructor takes hyper-parameters only and does no work. The harness calls, and times apart, ``prepare`` once
    per domain, ``fit`` once per prompt, ``edit`` once per batch.

    Attributes:
        name: as on the command line, for example ``deltaedit``.
        space: the codes it changes, ``S`` or ``W+``.
        paper: where it was published.

    An editor may also have ``knob``, a text for `deltabench methods`: the formula in which the strength stands; and
    ``version``, a whole number that is raised when the same parameters come to mean another edit (1 if there is none):
    a run folder of one version is not gone on with in another.
    """

    name: ClassVar[str]
    space: ClassVar[str]
    paper: ClassVar[str]

    def prepare(self, domain: EditingDomain) -> None:
        """Do what is needed once per generator."""

    def fit(self, prompt: Prompt) -> None:
        """Do what is needed once per prompt."""

    def edit(self, latents: Latents, prompt: Prompt, strength: float) -> Latents:
        """Edited codes of a batch; strength 0 changes nothing, 1 is the published default.

        The same input gives the same output, a batch of n equals n batches of one, and the input is left as it was.
        """
