"""`deltabench edit` from request to file: load, prepare, edit, draw, write."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from deltaedit.tools.domain import EditingDomain
from eval.device import chosen_device
from eval.editors.identity import source_key
from eval.editors.spec import EditorSpec
from eval.edits.editing import PictureEditor
from eval.edits.frames import interpolation, side_by_side, write_frames
from eval.edits.missing import PatientArtefacts
from eval.edits.pasting import paste_back
from eval.edits.pictures import RGB
from eval.edits.request import EditRequest, check
from eval.edits.sources import EditSources, TakePhotograph, load_sources
from eval.edits.strip import Column, draw_strip, save
from eval.edits.target import EditTarget, read_target
from eval.errors import UsageError
from eval.letters import drawable, font_file
from eval.prompts import Prompt, idle_notes, length_notes

Say = Callable[[str], None]


@dataclass(frozen=True)
class EditResult:
    """What was made.

    Attributes:
        words: what was edited, by what, towards what; one sentence.
        names: of the rows.
        strengths: of the columns; for frames the last one.
        similarities: float [rows, columns], cosine of picture and text (or target picture) in the editors' CLIP.
        written: what was written, in words.
    """

    words: str
    names: tuple[str, ...]
    strengths: tuple[float, ...]
    similarities: Tensor
    written: str


def run_request(request: EditRequest, say: Say) -> EditResult:
    """Do what is asked for.

    Args:
        request: see there.
        say: called with sentences about what was done on the way.

    Raises:
        UsageError: a mistake in the request or in what it names.
        CheckpointError: a weights file that cannot be used.
    """
    check(request)
    spec = one_editor(request.method)
    domain, prompts, take_photograph = load_domain_of(request)
    domain = dataclasses.replace(
        domain,
        artefacts=PatientArtefacts(
            domain, request.compute_minutes * 60, say, request.generator is not None, source_key(spec.editor)
        ),
    )
    target = read_target(request, prompts)
    sources = load_sources(domain, request, take_photograph)
    if sources.photograph is not None:
        domain = dataclasses.replace(domain, synthesis=sources.photograph.synthesis)
    lengths = length_notes(target.prompts, {f"CLIP of {domain.name}": domain.clip})
    for note in [*sources.notes, *idle_notes(target.prompts), *lengths]:
        say(note)
    editor = PictureEditor(spec, domain, target, request.batch, from_files=request.generator is not None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        editor.prepare()
    for sentence in dict.fromkeys(str(one.message) for one in caught if one.category is UserWarning):
        say(sentence)
    if editor.optimises_each:
        say(f"{spec.name} optimises each of {len(sources.names)} pictures, which takes a while.")
    words = f"{', '.join(sources.names)} of {domain.name}, {spec.label} towards {target.words}"
    if request.frames:
        return _frames(request, editor, sources, target.similarity_to(domain), words)
    return _strip(request, editor, sources, target, domain, spec, words, say)


def one_editor(text: str) -> EditorSpec:
    """The editor that ``--method`` names.

    Raises:
        UsageError: there is none, or several.
    """
    from eval.editors.registry import parse_methods

    specs, problems = parse_methods(text)
    if len(specs) != 1:
        names = ", ".join(spec.name for spec in specs) or "; ".join(problems)
        raise UsageError(f"--method must name one editor. '{text}' names {len(specs)}: {names}.")
    return specs[0]


def load_domain_of(request: EditRequest) -> tuple[EditingDomain, Sequence[Prompt], TakePhotograph | None]:
    """What editors work with, the prompts that the domain knows, and how it takes photographs, if by itself."""
    if request.generator is None:
        from eval.domains import load_domain

        loaded = load_domain("avatars" if request.domain is None else request.domain, device=request.device)
        return loaded.editing, loaded.prompts, getattr(loaded, "photograph", None)
    from eval.weights.checkpoint_files import CheckpointFiles, editing_domain

    given = {
        "clip_architecture": request.clip_architecture,
        "truncation": request.truncation,
        "noise": request.noise,
    }
    files = CheckpointFiles(
        generator=request.generator,
        clip=request.clip,
        encoder=request.encoder,
        identity=request.identity,
        delta_mapper=request.mapper,
        relevance=request.relevance,
        styleclip_mapper=request.styleclip_mapper,
        **{name: value for name, value in given.items() if value is not None},  # type: ignore[arg-type]
    )
    return editing_domain(files, request.generator.name, chosen_device(request.device)), (), None


def _strip(
    request: EditRequest,
    editor: PictureEditor,
    sources: EditSources,
    target: EditTarget,
    domain: EditingDomain,
    spec: EditorSpec,
    words: str,
    say: Say,
) -> EditResult:
    goal = target.similarity_to(domain)
    columns, similarities = [], []
    for strength in request.strengths:
        pictures, close = _drawn(editor, sources, strength, goal)
        similarities.append(close)
        columns.append(Column(f"{strength:g}", pictures, [f"CLIP {value:.3f}" for value in close.tolist()]))
    columns[0] = dataclasses.replace(columns[0], heading=f"strength {columns[0].heading}")
    if sources.originals is not None:
        columns.insert(0, Column("picture", sources.originals, [""] * len(sources.originals)))
    title = f"{spec.label}: {target.words}"
    if drawable(title, font_file(title)) != title:
        say("The strip's font lacks letters of the text; their code points stand in their places.")
    names, also = sources.names, ""
    if sources.photograph is not None:
        columns, also = paste_back(sources.photograph, columns, request)
        names = (*names, "in the photograph")
    strip = draw_strip(title, names, columns, request.panel_px)
    save(strip, request.out)
    side = domain.synthesis.resolution
    written = f"{request.out} ({strip.width} x {strip.height} px; the generator's pictures have {side} px){also}"
    return EditResult(words, sources.names, request.strengths, torch.stack(similarities, 1), written)


def _drawn(editor: PictureEditor, sources: EditSources, strength: float, goal: Tensor) -> tuple[list[RGB], Tensor]:
    """Pictures of all rows at one strength, and their mean cosine to the goal [K, E]."""
    pictures, close = [], []
    for some, features in editor.pictures(editor.edit(sources.latents, strength)):
        pictures += some
        close.append((features @ goal.T).mean(1).cpu())
    return pictures, torch.cat(close)


def _frames(request: EditRequest, editor: PictureEditor, sources: EditSources, goal: Tensor, words: str) -> EditResult:
    """All rows side by side, from unedited to the last strength."""
    strength = request.strengths[-1]
    edited = editor.edit(sources.latents, strength)
    close: list[Tensor] = []

    def pictures() -> Iterator[RGB]:
        for latents in interpolation(sources.latents, edited, request.frames):
            drawn = list(editor.pictures(latents))
            close.append(torch.cat([(features @ goal.T).mean(1).cpu() for _, features in drawn]))
            yield side_by_side(picture for some, _ in drawn for picture in some)

    count = write_frames(pictures(), request.out)
    written = f"{request.out} ({count} frames from strength 0 to {strength:g})"
    return EditResult(words, sources.names, (0.0, strength), torch.stack([close[0], close[-1]], 1), written)
