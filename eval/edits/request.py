"""What a command line of `deltabench edit` asks for, checked before anything heavy is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eval.errors import UsageError, refuse

FILE_OPTIONS = ("clip", "mapper", "relevance", "encoder", "identity", "styleclip_mapper")
PLAIN_OPTIONS = ("clip_architecture", "truncation", "noise")


@dataclass(frozen=True)
class EditRequest:
    """The options, see `deltabench edit --help`.

    Attributes:
        method: one editor, with parameters in brackets.
        strengths: one picture of each.
        out: a PNG for the strip; with ``frames`` a folder or a GIF.
        domain: name of a domain; ``avatars`` if neither this nor ``generator`` is given.
        images: pictures to edit.
        seeds: samples of the generator to edit.
        latents: a file of codes to edit.
        limit: at most so many codes of that file.
        codes: ``w`` or ``w+``: what an array [L, D] of that file is; None for one code of W+, which is said.
        prompts: texts, or names of prompts of the domain.
        source_texts: one for all prompts, or one each.
        target_image: with ``source_image``: the difference of two pictures in the place of prompts.
        source_image: see ``target_image``.
        frames: how many pictures between unedited and edited; 0 for a strip.
        batch: pictures at a time.
        panel_px: side of a picture in the strip; default its own, small ones enlarged.
        compute_minutes: what is missing and takes longer is not computed.
        generator: the weights file of a generator, instead of a domain; the next ten belong to it.
        clip: see ``eval.weights.checkpoint_files.CheckpointFiles``, as the others.
        clip_architecture: of open_clip.
        mapper: a Delta Mapper.
        relevance: R_s.
        encoder: e4e.
        identity: of faces.
        styleclip_mapper: for one prompt.
        truncation: ψ of the samples.
        noise: fixed, random or none.
        device: where to compute.
    """

    method: str
    strengths: tuple[float, ...]
    out: Path
    domain: str | None = None
    images: tuple[Path, ...] = ()
    seeds: tuple[int, ...] = ()
    latents: Path | None = None
    limit: int = 8
    codes: str | None = None
    prompts: tuple[str, ...] = ()
    source_texts: tuple[str, ...] = ()
    target_image: Path | None = None
    source_image: Path | None = None
    frames: int = 0
    batch: int | None = None
    panel_px: int | None = None
    compute_minutes: float = 30.0
    generator: Path | None = None
    clip: Path | None = None
    clip_architecture: str | None = None
    mapper: Path | None = None
    relevance: Path | None = None
    encoder: Path | None = None
    identity: Path | None = None
    styleclip_mapper: Path | None = None
    truncation: float | None = None
    noise: str | None = None
    device: str | None = None


def check(request: EditRequest) -> None:
    """Find options that are missing or do not go together, files that are not there, pictures that cannot be read.

    Raises:
        UsageError: the first wrong option, or all faults of files at once, one line each.
    """
    from eval.pictures import read_pictures

    _check_sources(request)
    _check_target(request)
    _check_generator(request)
    pictures = [*request.images, *(p for p in (request.source_image, request.target_image) if p is not None)]
    files = [(option, getattr(request, option)) for option in ("latents", "generator", *FILE_OPTIONS)]
    refuse(
        [
            f"--{option.replace('_', '-')}: there is no file {path}."
            for option, path in [*(("image", path) for path in pictures), *files]
            if path is not None and not path.is_file()
        ]
    )
    inputs = [*pictures, *(path for _, path in files if path is not None)]
    if request.out.exists() and any(request.out.samefile(path) for path in inputs):
        raise UsageError(f"--out {request.out} is one of the files that are read; choose another --out.")
    check_out(request.out, request.frames)
    for _ in read_pictures(dict.fromkeys(pictures)):  # every damaged one is told before networks are loaded
        pass


def check_out(out: Path, frames: int) -> None:
    """Find out before the work whether its result can be written; makes the folder that it goes to.

    Raises:
        UsageError: a name of the wrong kind, or a place that cannot be written.
    """
    import tempfile

    if not frames and out.suffix.lower() != ".png":
        raise UsageError(f"--out must be a .png file for a strip (lossless). Got '{out}' instead.")
    if frames and out.suffix.lower() not in ("", ".gif"):
        raise UsageError(f"--out must be a folder or a .gif file for --frames. Got '{out}' instead.")
    is_folder = bool(frames) and not out.suffix
    folder = out if is_folder else out.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        if not is_folder and out.exists():
            with out.open("r+b"):
                pass
    except OSError as error:
        raise UsageError(f"{out} cannot be written ({error.strerror or error}); choose another --out.") from None


def _check_sources(request: EditRequest) -> None:
    given = {"--image": request.images, "--seed": request.seeds, "--latents": request.latents}
    named = [option for option, value in given.items() if value not in ((), None)]
    if not named:
        raise UsageError("Name what to edit: --image FILE, --seed NUMBER or --latents FILE.")
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)} exclude each other; give one of --image, --seed, --latents.")
    if request.codes is not None and request.latents is None:
        raise UsageError("--codes belongs to --latents FILE, which is not given.")
    seed = next((seed for seed in request.seeds if not 0 <= seed < 2**31), None)
    if seed is not None:
        raise UsageError(f"--seed must be a whole number from 0 to 2147483647. Got {seed} instead.")


def _check_target(request: EditRequest) -> None:
    images = (request.target_image, request.source_image)
    if any(images) and request.prompts:
        raise UsageError("--prompt and --target-image exclude each other; give either texts or two pictures.")
    if any(images) and not all(images):
        missing = "--source-image" if request.source_image is None else "--target-image"
        raise UsageError(f"The difference of two pictures needs both: {missing} FILE is missing.")
    if not any(images) and not request.prompts:
        raise UsageError('Name what to change: --prompt "face with glasses", or --target-image and --source-image.')
    for option, texts in (("--prompt", request.prompts), ("--source-text", request.source_texts)):
        if any(not text.strip() for text in texts):
            raise UsageError(f"{option} is empty; write a text in quotes, for example 'face with glasses'.")
    if request.source_texts and len(request.source_texts) not in (1, len(request.prompts)):
        raise UsageError(
            f"--source-text must be given once, or once for each --prompt. Got {len(request.source_texts)} for "
            f"{len(request.prompts)} prompts."
        )
    if request.frames == 1 or request.frames < 0:
        raise UsageError(f"--frames must be 2 or more: the first and the last picture. Got {request.frames} instead.")


def _check_generator(request: EditRequest) -> None:
    if request.generator is not None:
        if request.domain is not None:
            raise UsageError("--domain and --generator exclude each other; give one of them.")
        if request.clip is None:
            raise UsageError("--generator needs --clip FILE: the weights of a CLIP, for example OpenAI's ViT-B-32.pt.")
        return
    odd = next((name for name in (*FILE_OPTIONS, *PLAIN_OPTIONS) if getattr(request, name) is not None), None)
    if odd is not None:
        raise UsageError(f"--{odd.replace('_', '-')} belongs to --generator FILE, which is not given.")
