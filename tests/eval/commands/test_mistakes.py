"""Every command with every kind of bad value that its parameters take: exit code 2 and one sentence that names it.

The commands and their parameters are found in the click group, so that a new one is tried as well; it needs a line in
``GOOD``: a call in which nothing is wrong.
"""

import shutil

import click
import numpy as np
import pytest
from PIL import Image

from eval import domains
from eval.cli import cli, main
from eval.errors import LONGEST

GARBAGE = bytes(range(256)) * 8
RUNNING = {"methods": "identity", "domain": "tiny", "images": "4", "prompts": "smile", "out": "new"}
FILES = {"generator": "{generator}", "clip": "{clip}", "clip_architecture": "{architecture}"}
EDITING = {"domain": "tiny", "seeds": "1", "prompts": "smile", "method": "identity", "out": "new.png"}
GOOD = {  # command -> parameter -> a value that is right
    "run": RUNNING,
    "calibrate": RUNNING,
    "tune": {"methods": "deltaedit", "domain": "tiny"},
    "edit": EDITING,
    "report": {"run": "made"},
    "paper": {"run": "made"},
    "export": {"run": "made", "format_": "csv"},
    "compare": {"run_a": "made", "editors": "identity,random-direction"},
    "why": {"run": "made", "value": "main:identity:default:success"},
    "align": {"domain": "avatars", "count": "20"},
    "ablate": {"name": "conditioning", "domain": "tiny"},
    "methods": {},
    "methods show": {"name": "deltaedit"},
    "check-editor": {"editor": "identity", "domain_name": "tiny"},
    "judges": {"domain_name": "tiny"},
    "label": {"run_folder": "made"},
    "doctor": {},
    "bench": {"domain": "tiny"},
    "prepare": {"domain": "tiny"},
    "domains": {},
    "models": {},
    "models check": {"file": "picture.png"},
    "models fetch": {"domain": "faces"},
    "prompts": {"domain": "tiny"},
    "domain render": {"name": "avatars", "count": "1", "out": "new"},
    "domain train": {"name": "avatars", "network": "generator"},
    "domain show": {"name": "avatars"},
    "domain label": {"name": "faces", "out": "new.csv"},
}
INSTEAD = {  # parameter of a command -> what its call has instead
    ("edit", "images"): {"seeds": None},
    ("edit", "latents"): {"seeds": None},
    ("edit", "target_image"): {"prompts": None, "source_image": "picture.png"},
    ("edit", "source_image"): {"prompts": None, "target_image": "picture.png"},
    ("align", "features"): {"domain": None, "count": None},
    **{("edit", name): {**FILES, "domain": None} for name in ("generator", "clip", "clip_architecture", "truncation")},
    **{("edit", name): {**FILES, "domain": None} for name in ("mapper", "relevance", "encoder", "identity")},
    **{("edit", name): {**FILES, "domain": None} for name in ("styleclip_mapper", "noise", "device")},
}
WRITTEN = ("out", "export")  # parameters that name what is written
FREE = {("edit", "prompts"), ("edit", "source_texts"), ("label", "rater")}  # any text is right but none
NONE = {("run", "refresh")}  # an empty text means none
TEXTS = ["", "no such", "no-such.toml", "garbage.toml", "folder.toml", "empty.toml", "x" * 400, "a\nb", "\x1b[31m"]
PATHS = ["no-such", "folder", "empty.bin", "garbage.bin", "x" * 300, "no\nsuch", "text.txt/x"]


def commands(group=cli, words=()):
    """("domain", "show") -> the command, for every command."""
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if not isinstance(command, click.Group) or command.invoke_without_command:
                yield " ".join([*words, name]), command
            if isinstance(command, click.Group):
                yield from commands(command, (*words, name))


def bad_values(command, parameter):
    """Values that a parameter must refuse."""
    kind = parameter.type
    if isinstance(kind, click.Path):
        return ["text.txt/x", "x" * 300] if parameter.name in WRITTEN else PATHS
    if isinstance(kind, click.Choice):
        return ["", "no such"]
    if isinstance(kind, click.types.IntParamType | click.types.FloatParamType):
        low = getattr(kind, "min", None)
        numbers = ["", "many", "1e", "0x"] + ([] if low is None else [str(low - 1)])
        return numbers + (["nan", "inf", "-inf"] if isinstance(kind, click.types.FloatParamType) else ["1.5", "9" * 30])
    if (command, parameter.name) in NONE:
        return TEXTS[1:]
    return ["", " "] if (command, parameter.name) in FREE else TEXTS


CASES = [
    (words, parameter.name, value)
    for words, command in commands()
    for parameter in command.params
    if not getattr(parameter, "is_flag", False) and parameter.name != "version"
    for value in bad_values(words, parameter)
]


@pytest.fixture(scope="module")
def place(tmp_path_factory, weights):
    """A folder with one of everything that is wrong, and a run."""
    from tests.conftest import build_tiny_domain

    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "folder.toml").mkdir()
    (folder / "folder").mkdir()
    for name in ("garbage.toml", "garbage.bin"):
        (folder / name).write_bytes(GARBAGE)
    for name in ("empty.toml", "empty.bin"):
        (folder / name).write_bytes(b"")
    (folder / "text.txt").write_text("text")
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(folder / "picture.png")
    domain = build_tiny_domain(folder / "artefacts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(domains.DOMAINS, "tiny", lambda *place: domain)
        patch.setenv("DELTABENCH_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        patch.setattr("eval.labelling.server.LabelServer.serve_forever", lambda server: pytest.fail("served"))
        patch.setattr("eval.weights.fetching.fetch", lambda package: pytest.fail("fetched"))
        made = ["run", "--methods", "identity,random-direction", "--domain", "tiny", "--images", "4", "--out", "made"]
        assert main([*made, "--strengths", "default", "--prompts", "smile", "--no-figures", "--quiet"]) == 0
        yield folder, {name: str(value) for name, value in vars(weights).items() if name != "model"}


def arguments(words, values, names):
    """The command line of a command whose parameters have these values."""
    options, given = [], []
    for parameter in dict(commands())[words].params:
        value = values.get(parameter.name)
        if value is None:
            continue
        value = value.format(**names) if value.startswith("{") else value
        if isinstance(parameter, click.Option):
            options.append(f"{parameter.opts[0]}={value}")
        else:
            given.append(value)
    return [*words.split(), *options, *(["--", *given] if given else [])]


def test_every_command_is_tried():
    assert {words for words, _ in commands()} == GOOD.keys()
    for words, command in commands():
        assert GOOD[words].keys() <= {parameter.name for parameter in command.params}


@pytest.mark.parametrize("words", GOOD)
def test_a_bad_value_is_told_in_one_sentence(words, place, capsys):
    folder, names = place
    wrong = []
    for name, value in ((name, value) for command, name, value in CASES if command == words):
        line = arguments(words, {**GOOD[words], **INSTEAD.get((words, name), {}), name: value}, names)
        try:
            code = main(line)
        except Exception as error:  # the rest is tried as well
            code = f"a traceback, {type(error).__name__}: {str(error)[:80]}"
        told = capsys.readouterr()
        sentences = [line for line in told.err.replace(str(folder), "").splitlines() if line and not line.endswith("…")]
        told_flat = " ".join(told.err.split()).lower()
        shown = [value, ascii(value)[1:-1]]  # newlines and control characters are printed as escapes, or as spaces
        words_of = [" ".join(text.split(".")[0].split())[:20].lower() for text in shown]
        words_of.append(name.rstrip("_s").split("_")[0])
        problems = [
            *([] if code == 2 else [f"exit code {code}"]),
            *([] if len(sentences) == 1 else [f"{len(sentences)} sentences"]),
            *(["too long"] if any(len(sentence) > LONGEST for sentence in sentences) else []),
            *([] if any(word and word in told_flat for word in words_of) or "''" in told_flat else ["not named"]),
            *(["Traceback"] if "traceback" in told_flat else []),
        ]
        if problems:
            wrong.append(f"{line}: {', '.join(problems)}\n    {told.err[-400:]}")
        for made in ("new", "deltabench-runs"):
            shutil.rmtree(folder / made, ignore_errors=True)
    assert not wrong, "\n".join(wrong)
