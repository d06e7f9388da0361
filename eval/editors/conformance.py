"""The conformance kit: does an editor keep the contract of ``eval.editors.protocol.Editor``?

    from eval.editors.conformance import check_editor
    for check in check_editor(MyEditor, domain.editing, domain.test_sources(3).latents, domain.prompts[0]):
        assert check.passed, check

Every check runs whatever the others found, unless the editor cannot be prepared, fitted or asked at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from deltaedit.backbones.latents import Latents
from deltaedit.tools.domain import EditingDomain
from eval.device import clock
from eval.domains import guard as judge_guard
from eval.domains.base import Judges
from eval.editors import isolation
from eval.editors.protocol import Editor
from eval.editors.timed_editor import offers_offsets
from eval.judging.apart import check_holds_no_judge, judge_weights
from eval.prompts import Prompt

CODES = ("w_plus", "s", "s_rgb")
KEEPS = {"S": ("w_plus", "s_rgb"), "W+": ()}  # codes that an editor of this space leaves alone
GLOBAL = "the global state of the process is left alone"
TOLERANCE = 1e-4  # of the largest offset: convolutions sum in another order for another batch size


@dataclass(frozen=True)
class Check:
    """One thing that was checked.

    Attributes:
        name: what must hold.
        passed: whether it does.
        found: what was seen, in words; for times, the seconds.
    """

    name: str
    passed: bool
    found: str

    def __str__(self) -> str:
        return f"{'passed' if self.passed else 'FAILED'}  {self.name}: {self.found}"


def check_editor(
    make: Callable[[], Editor],
    domain: EditingDomain,
    latents: Latents,
    prompt: Prompt,
    strength: float = 1.0,
    judges: Judges | None = None,
) -> list[Check]:
    """Run the kit. Every judge of the process raises meanwhile.

    Args:
        make: constructs the editor, the same each time; called twice.
        domain: to work on.
        latents: of at least 2 images.
        prompt: to edit for.
        strength: of the edits that are looked at.
        judges: networks whose weights the editor must not hold; None: not looked for.

    Returns:
        The checks in order; the last one says why if the editor stopped with an error.

    Raises:
        ValueError: fewer than 2 images.
    """
    if len(latents) < 2:
        raise ValueError(f"The conformance kit needs latents of at least 2 images. Got {len(latents)} instead.")
    checks: list[Check] = []
    editors: list[Editor] = []
    touched = ""
    try:
        with isolation.at_work("under check"):
            checks.extend(_checks(make, editors, domain, _copy(latents), prompt, strength))
    except judge_guard.JudgeTouched as error:
        touched = str(error)
    except Exception as error:  # whatever a stranger's editor raises is the finding
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        checks.append(Check("works without an error", False, reason))
    return _with_judge_check(checks, editors, touched, judges)


def _with_judge_check(checks: list[Check], editors: list[Editor], touched: str, judges: Judges | None) -> list[Check]:
    """Add whether the judges were left alone, before the last check (the times, or why the editor stopped)."""
    if not touched and judges is not None:
        try:
            for editor in editors:
                check_holds_no_judge("under check", editor, judge_weights(judges))
        except judge_guard.JudgeTouched as error:
            touched = str(error)
    found = touched or "no judge was called" + (" and no weights of one are held" if judges is not None else "")
    check = Check("leaves the judges alone", not touched, found)
    return [*checks[:-1], check, *checks[-1:]] if not touched else [*checks, check]


def _checks(
    make: Callable[[], Editor],
    editors: list[Editor],
    domain: EditingDomain,
    latents: Latents,
    prompt: Prompt,
    strength: float,
) -> Iterator[Check]:
    networks = _Networks(domain)
    before = isolation.state()
    editor = make()
    editors.append(editor)
    yield _members(editor)
    seconds = {"prepare": _timed(domain, lambda: editor.prepare(domain))}
    seconds["fit"] = _timed(domain, lambda: editor.fit(prompt))
    given = _copy(latents)
    edits: list[Latents] = []
    seconds["edit"] = _timed(domain, lambda: edits.append(editor.edit(given, prompt, strength)))
    edited = edits[0]
    yield _form(edited, latents)
    yield Check("the input is left as it was", _same(given, latents), "compared before and after")
    yield _zero(editor.edit(_copy(latents), prompt, 0.0), latents)
    yield _space(editor, edited, latents)
    again = editor.edit(_copy(latents), prompt, strength)
    yield Check("the same edit twice gives the same codes", _same(edited, again), _largest(edited, again))
    yield _apart(editor, edited, latents, prompt, strength)
    if offers_offsets(editor):
        yield _offsets(editor, domain, edited, latents, prompt, strength)
    with torch.inference_mode():
        inside = editor.edit(_copy(latents), prompt, strength)
    yield Check("works in inference mode, too", _same(edited, _copy(inside)), _largest(edited, _copy(inside)))
    other = make()
    editors.append(other)
    other.prepare(domain)
    other.fit(prompt)
    anew = other.edit(_copy(latents), prompt, strength)
    yield Check("the same seed gives the same editor", _same(edited, anew), _largest(edited, anew))
    yield from networks.checks(edited)
    changed = [name for name in isolation.put_back(before) if name not in isolation.CHANGED_BY_IMPORTS]
    yield Check(GLOBAL, not changed, f"{', '.join(changed)} changed" if changed else "compared before and after")
    times = ", ".join(f"{verb} {value:.3f} s" for verb, value in seconds.items())
    yield Check("times", True, f"{times} for {len(latents)} images")


def _members(editor: Editor) -> Check:
    right = isinstance(editor, Editor) and editor.space in KEEPS and bool(editor.name)
    found = ", ".join(f"{name} {getattr(editor, name, 'missing')!r}" for name in ("name", "space"))
    return Check("has a name, a space (S or W+), a paper and the three verbs", right, found)


def _form(edited: Latents, latents: Latents) -> Check:
    """Class, shapes, types, devices, finite numbers."""
    name = "shape, dtype and device are kept, numbers are finite"
    if not isinstance(edited, Latents):
        return Check(name, False, f"edit returned {type(edited).__name__} instead of Latents")
    for code in CODES:
        got, wanted = getattr(edited, code), getattr(latents, code)
        forms = [(tuple(x.shape), x.dtype, str(x.device)) for x in (got, wanted)]
        if forms[0] != forms[1]:
            return Check(name, False, f"{code} is {forms[0]} instead of {forms[1]}")
        if not torch.isfinite(got).all():
            return Check(name, False, f"{code} holds numbers that are not finite")
    return Check(name, True, "for w_plus, s and s_rgb")


def _zero(edited: Latents, latents: Latents) -> Check:
    return Check("strength 0 changes nothing", _difference(edited, latents) <= 1e-6, _largest(edited, latents))


def _space(editor: Editor, edited: Latents, latents: Latents) -> Check:
    moved = [
        code for code in KEEPS.get(editor.space, ()) if not torch.equal(getattr(edited, code), getattr(latents, code))
    ]
    found = f"{' and '.join(moved)} changed" if moved else "compared with the input"
    return Check("changes only codes of its space", not moved, found)


def _apart(editor: Editor, edited: Latents, latents: Latents, prompt: Prompt, strength: float) -> Check:
    """A batch of n against n batches of one, relative to the largest offset."""
    rows = [slice(row, row + 1) for row in range(len(latents))]
    single = Latents.cat([editor.edit(_copy(latents[row]), prompt, strength) for row in rows])
    allowed = TOLERANCE * max(_difference(edited, latents), 1e-2)
    difference = _difference(edited, single)
    return Check("a batch of n equals n batches of one", difference <= allowed, _largest(edited, single))


def _offsets(
    editor: Any, domain: EditingDomain, edited: Latents, latents: Latents, prompt: Prompt, strength: float
) -> Check:
    """The harness finds offsets once and uses them for every strength."""
    step = strength * editor.offsets(_copy(latents), prompt)
    added = _copy(latents).moved(domain.synthesis, step)
    return Check("an edit is strength times the offsets", _same(edited, added), _largest(edited, added))


class _Networks:
    """The domain's networks, as they were."""

    def __init__(self, domain: EditingDomain) -> None:
        named = {"generator": domain.synthesis, "encoder": domain.encoder, "CLIP": domain.clip.model}
        named |= {"identity network": domain.identity, "perceptual network": domain.perceptual}
        owners = {name: getattr(network, "__self__", network) for name, network in named.items()}  # of a bound method
        self.modules = {name: owner for name, owner in owners.items() if isinstance(owner, nn.Module)}
        self.before = {name: _sums(module) for name, module in self.modules.items()}
        self.held = {name: _gradients(module) for name, module in self.modules.items()}
        self.modes = {name: _modes(module) for name, module in self.modules.items()}

    def checks(self, edited: Latents) -> Iterator[Check]:
        """Weights, gradients and modes after the edits."""
        names = ", ".join(self.modules)
        changed = [name for name, module in self.modules.items() if _sums(module) != self.before[name]]
        yield Check("the networks' weights are left as they were", not changed, ", ".join(changed) or names)
        leaked = [name for name, module in self.modules.items() if _gradients(module) != self.held[name]]
        leaked += [code for code in CODES if getattr(edited, code).requires_grad]
        yield Check("no gradients are left behind", not leaked, ", ".join(leaked) or f"{names} and the edited codes")
        switched = [name for name, module in self.modules.items() if _modes(module) != self.modes[name]]
        yield Check("the networks' modes are left as they were", not switched, ", ".join(switched) or names)


def _sums(module: nn.Module) -> list[float]:
    return [float(value.double().square().sum()) for value in module.state_dict().values()]


def _gradients(module: nn.Module) -> int:
    return sum(parameter.grad is not None for parameter in module.parameters())


def _modes(module: nn.Module) -> tuple[list[bool], list[bool]]:
    return [part.training for part in module.modules()], [weight.requires_grad for weight in module.parameters()]


def _timed(domain: EditingDomain, work: Callable[[], object]) -> float:
    began = clock(domain.device)
    work()
    return clock(domain.device) - began


def _copy(latents: Latents) -> Latents:
    return Latents(*(getattr(latents, code).detach().clone() for code in CODES))


def _same(one: Latents, other: Latents) -> bool:
    return all(torch.equal(getattr(one, code), getattr(other, code)) for code in CODES)


def _difference(one: Latents, other: Latents) -> float:
    """Largest difference of any number; infinite where shapes differ or a number is not finite."""
    pairs: list[tuple[Tensor, Tensor]] = [(getattr(one, code), getattr(other, code)) for code in CODES]
    if any(a.shape != b.shape for a, b in pairs):
        return math.inf
    largest = max(float((a.detach().double() - b.detach().double()).abs().max()) for a, b in pairs if a.numel())
    return math.inf if math.isnan(largest) else largest


def _largest(one: Latents, other: Latents) -> str:
    return f"largest difference {_difference(one, other):.2g}"
