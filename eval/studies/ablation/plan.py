"""What an ablation is: one question, one DeltaEdit with one part changed at a time, and how both are compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltaedit.tools.parameters import MOST_SEED, is_count, is_number
from eval.errors import UsageError, shortened, unknown
from eval.prompts import Prompt, load_toml

if TYPE_CHECKING:
    from deltaedit.editor import DeltaEdit

OWN = "domains"  # of a file: domain -> fields that are other ones there
FIELDS = (
    *("question", "baseline", "seeds", "images", "effect", "prompts", "calibration", "variant", "settings", "arms"),
    OWN,
)
TEXT_FIELDS = ("source", "subject", "variant")  # of an arm, besides the settings of DeltaEdit
FORBIDDEN = "training_seed"  # every arm has all the seeds


@dataclass(frozen=True)
class Arm:
    """One variant.

    Attributes:
        label: as in tables and figures.
        settings: of ``deltaedit.editor.DeltaEdit`` that this arm changes.
        source: source text of every prompt instead of its own; None keeps it.
        subject: replaces the source text in both texts of every prompt; None keeps it.
        variant: of the domain, one of ``EditingDomain.variants``; None for that of the ablation.
    """

    label: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    source: str | None = None
    subject: str | None = None
    variant: str | None = None

    def prompt(self, prompt: Prompt) -> Prompt:
        """The prompt as the editor of this arm reads it; what is judged stays the same.

        >>> arm = Arm("person", subject="person")
        >>> arm.prompt(Prompt("smile", "face", "face with smile", "mouth", "smile")).target
        'person with smile'
        """
        if self.subject is not None:
            target = prompt.target.replace(prompt.source, self.subject)
            prompt = replace(prompt, source=self.subject, target=target)
        return prompt if self.source is None else replace(prompt, source=self.source)


@dataclass(frozen=True)
class Ablation:
    """One question and how it is answered.

    Attributes:
        name: of the file.
        question: one sentence.
        baseline: label of the arm that the others are compared with.
        arms: the variants, the baseline among them.
        seeds: of the trainings; every arm has all of them.
        images: test images that are edited.
        effect: in σ: every arm edits a prompt with the strength that has this mean effect on the calibration images.
        prompts: their names; empty for all of the domain.
        settings: of DeltaEdit, for all arms.
        calibration: calibration images on which strengths are chosen; None for as many as a run has.
        variant: of the domain, for all arms; None for the domain itself.
    """

    name: str
    question: str
    baseline: str
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    images: int = 50
    effect: float = 1.0
    prompts: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    calibration: int | None = None
    variant: str | None = None

    def editor(self, arm: Arm, seed: int) -> DeltaEdit:
        """The editor of an arm, trained with a seed; not prepared."""
        from deltaedit.editor import DeltaEdit

        return DeltaEdit(**{**self.settings, **arm.settings, FORBIDDEN: seed})

    def as_json(self) -> dict[str, Any]:
        """Everything that determines the results, apart from domain and networks."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        for part in (plain, *plain["arms"]):  # what came later is not there where it says nothing
            for name in ("calibration", "variant"):
                if part.get(name, "") is None:
                    del part[name]
        return plain

    def folder_name(self, domain: str) -> str:
        """Name of the folder when none is given: the same ablation has the same."""
        text = json.dumps({**self.as_json(), "domain": domain}, sort_keys=True)
        return f"ablation-{self.name}-{domain}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def shipped() -> dict[str, Path]:
    """The ablations of the package: name -> file."""
    from importlib.resources import files

    folder = Path(str(files("eval.studies.ablation"))) / "shipped"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find(name: str, domain: str = "avatars") -> Ablation:
    """A shipped ablation by its name, or that of a TOML file, as it is for a domain; not checked.

    Raises:
        UsageError: neither exists, or the file is not an ablation.
    """
    if name.endswith(".toml"):
        return load(Path(name), domain)
    known = shipped()
    if name not in known:
        raise unknown("ablation", name, known, "deltabench ablate --list")
    return load(known[name], domain)


def load(path: Path, domain: str = "avatars") -> Ablation:
    """Read an ablation as it is for a domain; its numbers and settings are looked at by ``check``.

    Raises:
        UsageError: the file is missing, is not TOML, or lacks something.
    """
    data = load_toml(path, "ablation")
    own = _table(path, _table(path, data, OWN), domain)
    for name in (*data, *own):
        if name not in FIELDS:
            raise unknown(f"field of an ablation (in {path})", name, FIELDS)
    merged = {name: {**_table(path, data, name), **_table(path, own, name)} for name in ("settings", "arms")}
    data = {**data, **own, **merged}
    settings = _table(path, data, "settings")
    arms = tuple(_arm(path, str(label), table) for label, table in _table(path, data, "arms").items())
    for name in ("seeds", "prompts"):
        if not isinstance(data.get(name, []), list):
            raise UsageError(f"'{name}' in {path} must be a list. Got {_shown(data[name])} instead.")
    return Ablation(
        name=path.stem,
        question=_text(path, data, "question"),
        baseline=_text(path, data, "baseline"),
        arms=arms,
        seeds=tuple(data.get("seeds", Ablation.seeds)),
        images=data.get("images", Ablation.images),
        effect=data.get("effect", Ablation.effect),
        prompts=tuple(data.get("prompts", ())),
        settings=settings,
        calibration=data.get("calibration"),
        variant=None if "variant" not in data else _text(path, data, "variant"),
    )


def check(ablation: Ablation, where: str) -> None:
    """Refuse what cannot be run before anything is trained.

    Args:
        ablation: to check.
        where: it comes from, for the error.

    Raises:
        UsageError: fewer than two arms, an unknown baseline or setting, or a number that is not allowed.
    """
    labels = [arm.label for arm in ablation.arms]
    if len(labels) < 2:
        raise UsageError(f"The ablation {where} must have two arms or more; it has {len(labels)}.")
    if ablation.baseline not in labels:
        raise unknown(f"arm (the baseline of {where})", ablation.baseline, labels)
    for name, count in (("images", ablation.images), ("calibration", ablation.calibration)):
        if not is_count(count, 2) and not (name == "calibration" and count is None):
            raise UsageError(f"'{name}' in {where} must be a whole number, 2 or more. Got {_shown(count)} instead.")
    if not is_number(ablation.effect, 0) or ablation.effect == 0:
        raise UsageError(f"'effect' in {where} must be a number above 0. Got {_shown(ablation.effect)} instead.")
    seeds = ablation.seeds
    if not seeds or not all(is_count(seed, 0, MOST_SEED) for seed in seeds) or len(set(seeds)) < len(seeds):
        raise UsageError(
            f"'seeds' in {where} must be different whole numbers from 0 up. Got {_shown(list(seeds))} instead."
        )
    for arm in ablation.arms:
        _check_settings(ablation, arm, where)


def _check_settings(ablation: Ablation, arm: Arm, where: str) -> None:
    from deltaedit.editor import DeltaEdit
    from deltaedit.tools.parameters import check
    from eval.editors.spec import parameters_of

    known = [parameter.name for parameter in parameters_of(DeltaEdit) if parameter.name != FORBIDDEN]
    for name in (*ablation.settings, *arm.settings):
        if name not in known:
            raise unknown(f"setting of deltaedit (in {where})", name, known, "deltabench methods show deltaedit")
    try:
        check(ablation.editor(arm, ablation.seeds[0]))
    except ValueError as error:
        raise UsageError(f"The arm '{shortened(arm.label)}' of {where} cannot be made: {error}") from None


def _arm(path: Path, label: str, table: object) -> Arm:
    if not isinstance(table, Mapping):
        raise UsageError(f"The arm '{shortened(label)}' in {path} must be a table. Got {_shown(table)} instead.")
    texts = {name: table.get(name) for name in TEXT_FIELDS}
    wrong = next((name for name, text in texts.items() if text is not None and not isinstance(text, str)), None)
    if wrong is not None:
        raise UsageError(
            f"'{wrong}' of the arm '{shortened(label)}' in {path} must be a text. Got {_shown(texts[wrong])} instead."
        )
    return Arm(label, {name: value for name, value in table.items() if name not in TEXT_FIELDS}, **texts)


def _table(path: Path, data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = data.get(name, {})
    if not isinstance(table, Mapping):
        raise UsageError(f"'{name}' in {path} must be a table. Got {_shown(table)} instead.")
    return table


def _text(path: Path, data: Mapping[str, Any], name: str) -> str:
    text = data.get(name)
    if not isinstance(text, str) or not text.strip():
        raise UsageError(f"The ablation {path} has no '{name}'.")
    return text


def _shown(value: object) -> str:
    return shortened(repr(value))


def chosen(prompts: Sequence[Prompt], ablation: Ablation) -> tuple[Prompt, ...]:
    """The prompts of an ablation among those of a domain.

    Raises:
        UsageError: a name that the domain does not have.
    """
    from eval.prompts import choose

    return choose(prompts, ablation.prompts)
