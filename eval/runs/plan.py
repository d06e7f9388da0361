"""Which cells a run holds, in which chunks, and how long they take."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

from eval.errors import UsageError, unknown
from eval.prompts import Prompt
from eval.runs.names import file_name

CHUNK = 200  # images a chunk: its three files are few for as many cells, and a kill loses little by it
AT_ONCE = 50  # images of a chunk that networks see at once, at most
CALIBRATION_IMAGES = 50
COARSE_IMAGES = 20  # of these, on which strengths are first tried that may turn out to be no good
TEST_A_CALIBRATION_IMAGE = 2  # test images for each of them in small runs, where a search would take most of the time
FEWEST_CALIBRATION_IMAGES = 10  # however small a run is
SWEEP = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)  # strengths that calibration may try; all of them to match effects
SEARCHED = 2.6  # so many times its images a search for clean success edits, on average [measured]; for estimates only
GOALS = (0.25, 0.5, 0.75, 1.0)  # effects at which editors are compared, in shares of the prompt's right effect
SHARES = "shares of the right effect"  # how a manifest says so; earlier ones do not, and theirs are in σ
TRIES_A_GOAL = 1.2  # strengths judged besides the sweep to meet a goal, on average [measured]; for estimates only
KINDS = ("default", "calibrated", "matched")
PROTOCOLS = {"published": "default,calibrated", "matched": "default,matched"}  # what --strengths each stands for
ORACLE = "oracle"  # label and kind of the counterfactual, inverted: the ceiling of a run at matched strength
KEPT_IMAGES = 16  # of every (editor, prompt, strength), stored as pictures for the grid and the report
SMALLEST_SHARE = 0.1  # of the bytes of pictures after compression: less than any run was seen to need
CELL_BYTES = 300  # of the numbers of one cell, at least
DEFAULT_STRENGTH = 1.0  # the published one, by contract of every editor


@dataclass(frozen=True)
class Strength:
    """A strength as it was asked for.

    Attributes:
        kind: ``default``, ``calibrated``, ``matched`` or ``given``.
        value: None for ``calibrated`` and ``matched``: found for each editor and prompt.
        goal: the target effect of ``matched``, as a share of the right one; None for the others.
    """

    kind: str
    value: float | None
    goal: float | None = None

    def __str__(self) -> str:
        if self.goal is not None:
            return f"{self.kind} {self.goal:g}"
        return f"{self.value:g}" if self.kind == "given" else self.kind


def strength_of(text: str) -> Strength:
    """The strength whose text this is.

    >>> [strength_of(text) for text in ("matched 0.5", "0.25")]
    [Strength(kind='matched', value=None, goal=0.5), Strength(kind='given', value=0.25, goal=None)]

    Raises:
        UsageError: there is none.
    """
    kind, _, goal = text.partition(" ")
    return Strength(kind, None, float(goal)) if goal else parse_strengths(kind)[0]


def parse_strengths(text: str) -> tuple[Strength, ...]:
    """Read ``--strengths``, each once; ``matched`` stands for every goal, and brings the default to compare with.

    >>> [str(strength) for strength in parse_strengths("default,calibrated,0.5")]
    ['default', 'calibrated', '0.5']
    >>> [str(strength) for strength in parse_strengths("matched")]
    ['default', 'matched 0.25', 'matched 0.5', 'matched 0.75', 'matched 1']

    Raises:
        UsageError: something that is neither a kind nor a number from 0 up.
    """
    found = []
    for word in (word.strip() for word in text.split(",")):
        if word == "matched":
            found.append(Strength("default", DEFAULT_STRENGTH))
            found += [Strength(word, None, goal) for goal in GOALS]
            continue
        if word in KINDS:
            found.append(Strength(word, DEFAULT_STRENGTH if word == "default" else None))
            continue
        try:
            value = float(word)
        except ValueError:
            raise unknown("strength", word, [*KINDS, "or a number"]) from None
        if not 0 <= value < float("inf"):
            raise UsageError(f"A strength must be a number from 0 up; --strengths has {word}.")
        found.append(Strength("given", value))
    return tuple(dict.fromkeys(found))


def calibration_images(images: int) -> int:
    """How many images strengths are calibrated on in a run of so many test images: half as many, within bounds.

    >>> [calibration_images(images) for images in (3, 20, 60, 100, 200)]
    [10, 10, 30, 50, 50]
    """
    return min(max(images // TEST_A_CALIBRATION_IMAGE, FEWEST_CALIBRATION_IMAGES), CALIBRATION_IMAGES)


@dataclass(frozen=True)
class Arguments:
    """What determines the cells of a run; as stored in its manifest.

    Attributes:
        domain: name.
        methods: labels of the editors.
        prompts: what is asked for.
        images: how many, from the first of the test set.
        strengths: as asked for.
        seed: given to editors that take one.
        batch: images a chunk.
    """

    domain: str
    methods: tuple[str, ...]
    prompts: tuple[Prompt, ...]
    images: int = 200
    strengths: tuple[Strength, ...] = (Strength("default", DEFAULT_STRENGTH), Strength("calibrated", None))
    seed: int = 0
    batch: int = CHUNK

    @property
    def goals(self) -> tuple[float, ...]:
        """The target effects to meet, as shares, ascending; empty for a run that matches no effects."""
        return tuple(sorted(strength.goal for strength in self.strengths if strength.goal is not None))

    @property
    def calibration_images(self) -> int:
        """How many images strengths are calibrated on."""
        return calibration_images(self.images)

    def as_json(self) -> dict[str, Any]:
        """For ``manifest.json``."""
        return {
            "methods": list(self.methods),
            "prompts": [prompt.name for prompt in self.prompts],
            "images": self.images,
            "strengths": [str(strength) for strength in self.strengths],
            "seed": self.seed,
            "batch": self.batch,
            **({"effects": SHARES} if self.goals else {}),
        }

    def folder_name(self) -> str:
        """Name of the run's folder when none is given: the same arguments give the same name."""
        everything = {**self.as_json(), "domain": self.domain, "prompts": [asdict(prompt) for prompt in self.prompts]}
        digest = hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()
        return f"{self.domain}-{digest[:10]}"


@dataclass(frozen=True)
class Chunk:
    """The cells of one (editor, prompt, strength) over one batch of images."""

    editor: str
    prompt: str
    kind: str
    strength: float
    first: int
    count: int
    effect_goal: float | None = None

    @property
    def id(self) -> str:
        """File name: kind and goal are in it because a strength that was found may equal the default one."""
        return self.named(file_name)

    def named(self, part: Callable[[str], str]) -> str:
        """The id where ``part`` makes the parts of a file's name from the editor's and the prompt's."""
        goal = "" if self.effect_goal is None else f"{self.effect_goal:g}-"
        kind = "" if self.kind == "given" else f"{self.kind}-{goal}"
        return f"{part(self.editor)}--{part(self.prompt)}--{kind}{self.strength:g}--{self.first:05d}"

    @property
    def rows(self) -> slice:
        """Its images among those of the run."""
        return slice(self.first, self.first + self.count)


def chunks(
    arguments: Arguments, editor: str, prompt: str, kind: str, strength: float, effect_goal: float | None = None
) -> Iterator[Chunk]:
    """The chunks of one (editor, prompt, strength)."""
    for first in range(0, arguments.images, arguments.batch):
        count = min(arguments.batch, arguments.images - first)
        yield Chunk(editor, prompt, kind, strength, first, count, effect_goal)


def check_seed(seed: int) -> None:
    """Refuse seeds that generators of random numbers do not take.

    >>> check_seed(2**64 - 1)

    Raises:
        UsageError: it says which are allowed.
    """
    if not 0 <= seed < 2**64:
        raise UsageError(f"--seed must be a whole number from 0 to {2**64 - 1} (2**64 - 1). Got {seed} instead.")


def fewest_bytes(arguments: Arguments, side_px: int) -> float:
    """What a run folder holds in the end, at least.

    >>> round(fewest_bytes(Arguments("faces", ("identity",), (), 100), 256) / 1e6, 1)  # the images themselves
    2.0
    """
    pairs = len(arguments.methods) * len(arguments.prompts) * len(arguments.strengths)
    pictures = pairs * min(KEPT_IMAGES, arguments.images) + arguments.images
    return pictures * 3 * side_px**2 * SMALLEST_SHARE + pairs * arguments.images * CELL_BYTES


def cell_count(arguments: Arguments) -> int:
    """How many cells the run holds, those of the oracle apart."""
    return len(arguments.methods) * len(arguments.prompts) * len(arguments.strengths) * arguments.images


def calibration_count(arguments: Arguments) -> int:
    """How many edits it takes, about, to calibrate one editor for one prompt."""
    if all(strength.value is not None for strength in arguments.strengths):
        return 0
    if not arguments.goals:
        return round(SEARCHED * arguments.calibration_images)
    return round((len(SWEEP) + TRIES_A_GOAL * len(arguments.goals)) * arguments.calibration_images)


def sweep_count(arguments: Arguments) -> int:
    """How many edits calibration makes besides; an estimate where effects are matched."""
    return len(arguments.methods) * len(arguments.prompts) * calibration_count(arguments)


def estimated_s(arguments: Arguments, costs: Mapping[str, Any]) -> float | None:
    """Seconds that the run takes from nothing, by measured costs.

    Args:
        arguments: of the run.
        costs: ``judge_s``, ``synthesis_s`` and ``sweep_judge_s`` a cell, ``counterfactual_s`` an (image, prompt),
            ``source_s`` an image, ``start_s`` until the networks are there; under each editor's name ``prepare_s``
            once, ``fit_s`` a prompt, ``edit_s`` a cell, and ``offset_s`` an image and prompt where the edits at all
            strengths share what they compute.

    Returns:
        None when a cost is not known.
    """
    prompts, images = len(arguments.prompts), arguments.images
    try:
        total = images * (float(costs["source_s"]) + prompts * float(costs["counterfactual_s"]))
        total += float(costs.get("start_s", 0))
        if arguments.goals:
            total += images * prompts * (float(costs["synthesis_s"]) + float(costs["judge_s"]))  # the oracle
        for label in arguments.methods:
            cost = costs[label.partition("[")[0]]
            edit_s = float(cost["edit_s"]) + float(costs["synthesis_s"])
            total += float(cost.get("prepare_s", 0)) + prompts * float(cost.get("fit_s", 0))
            total += prompts * len(arguments.strengths) * images * (edit_s + float(costs["judge_s"]))
            total += prompts * calibration_count(arguments) * (edit_s + float(costs["sweep_judge_s"]))
            calibrated = arguments.calibration_images if calibration_count(arguments) else 0
            total += prompts * (images + calibrated) * float(cost.get("offset_s", 0))
    except (KeyError, TypeError, ValueError):
        return None
    return total


def shipped_costs() -> Mapping[str, Any]:
    """Measured seconds by editor, for estimates; empty where none were shipped."""
    path = files("eval") / "costs.json"
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def usual_s(labels: Iterable[str]) -> dict[str, float]:
    """Seconds that an edit of each editor takes with its synthesis and judges, where that was measured."""
    costs = shipped_costs()
    found = {}
    for label in labels:
        cost = {"edit_s": 0.0} if label == ORACLE else costs.get(label.partition("[")[0])
        if isinstance(cost, Mapping) and "synthesis_s" in costs:
            found[label] = float(cost["edit_s"]) + float(costs["synthesis_s"]) + float(costs["judge_s"])
    return found
