"""What is wrong with a request is told before any work, all of it at once."""

import shutil
from collections import namedtuple
from types import SimpleNamespace

import pytest

from eval import domains
from eval.cli import main
from eval.domains.counts import image_count
from eval.errors import UsageError
from eval.folders import check_place
from eval.prompts import Prompt
from eval.runs.plan import Arguments, Strength, fewest_bytes
from eval.runs.request import RunRequest, plan_run

PROMPTS = """
source = "face"
[[prompt]]
name = "a"
target = "face with a"
attribute = "mout"
value = "smile"
[[prompt]]
name = "b"
targets = "face with b"
attribute = "mouth"
value = "smile"
"""


@pytest.fixture
def here(tiny_domain, tmp_path, monkeypatch):
    monkeypatch.setitem(domains.DOMAINS, "tiny", lambda *place: tiny_domain)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prompts.toml").write_text(PROMPTS)
    (tmp_path / "text.txt").write_text("text")
    (tmp_path / "half.py").write_text("class Half:\n    name = 'half'\n")
    return tmp_path


def faults(**options):
    with pytest.raises(UsageError) as told:
        plan_run(RunRequest(domain="tiny", **options), quiet=True)
    lines = str(told.value).splitlines()
    assert all(len(line) <= 300 for line in lines)
    return lines


def test_everything_that_is_wrong_is_told_at_once(here):
    lines = faults(
        methods="identiti,half:Half,absent:X,stylemc[images=many]",
        prompts="prompts.toml",
        strengths="calibratd",
        seed=-1,
        out=here / "text.txt" / "run",
    )
    named = ("'calibratd'", "Got -1", "text.txt is a file", "'identiti'", "half:Half", "absent", "'many'", "'targets'")
    assert len(lines) == len(named)
    for line, part in zip(lines, named, strict=True):
        assert part in line


def test_prompts_of_a_file_are_looked_at_even_without_their_domain(here):
    with pytest.raises(UsageError) as told:
        plan_run(RunRequest(domain="tini", methods="identity", prompts="prompts.toml"), quiet=True)
    domain, field = str(told.value).splitlines()
    assert "'tini'" in domain and "'targets'" in field
    (here / "prompts.toml").write_text(PROMPTS.replace("targets", "target"))
    (line,) = faults(methods="identity", prompts="prompts.toml")
    assert "'mout'" in line and "did you mean 'mouth'" in line


@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_the_seeds_that_generators_take(here, seed):
    assert plan_run(RunRequest("identity", "tiny", seed=seed), quiet=True).arguments.seed == seed


def test_a_seed_beyond_is_refused(here):
    (line,) = faults(methods="identity", seed=2**64)
    assert "18446744073709551615" in line


def test_the_room_that_a_run_needs(tmp_path, monkeypatch):
    prompts = tuple(Prompt(name, "face", name, "mouth", "smile") for name in "abc")
    arguments = Arguments("x", ("a", "b"), prompts, 100, (Strength("default", 1.0),))
    # 2 editors x 3 prompts x 16 kept pictures and 100 originals of 1024 px, a tenth; 600 cells of 300 bytes
    needed = fewest_bytes(arguments, 1024)
    assert needed == pytest.approx(196 * 314_572.8 + 180_000)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage(10**9, 0, 61_000_000))
    with pytest.raises(UsageError, match=r"run will hold 61.8 MB or more, but 61.0 MB are free there; make room"):
        check_place(tmp_path / "run", needed)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "chunk").write_bytes(bytes(1_000_000))
    check_place(tmp_path / "run", needed)  # what is there already needs no more room


def test_a_place_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match=r"file is a file, so that .*file/run cannot be a folder; choose another"):
        check_place(tmp_path / "file" / "run")
    with pytest.raises(UsageError, match=r"cannot be written \(File name too long\)"):
        check_place(tmp_path / ("x" * 300))
    monkeypatch.setattr("os.access", lambda place, mode: False)  # root may write everywhere
    with pytest.raises(UsageError, match=r"cannot be written \(.* is read-only\)"):
        check_place(tmp_path / "run")


@pytest.mark.parametrize(
    ("there", "asked", "limit", "images"),
    [
        (None, None, None, 200),
        (1000, None, None, 200),
        (30, None, None, 30),
        (30, None, 20, 20),
        (30, 30, None, 30),
        (30, 500, 20, 20),
        (30, None, 500, 30),
        (None, 5000, None, 5000),
    ],
)
def test_how_many_images_are_edited(there, asked, limit, images):
    domain = SimpleNamespace(name="people", test_images=there)
    assert image_count(domain, asked, limit) == images


@pytest.mark.parametrize("limit", [None, 40])
def test_more_images_than_there_are_is_refused(limit):
    with pytest.raises(UsageError, match=r"'people' has 30 test images, .* 31 were asked for: run with --images 30"):
        image_count(SimpleNamespace(name="people", test_images=30), 31, limit)


@pytest.mark.parametrize(("name", "there"), [("avatars", 1000), ("faces", 200)])
def test_domains_know_how_many_images_they_have(name, there, capsys):
    assert main(["run", "--domain", name, "--methods", "identity", "--images", str(there + 1)]) == 2
    assert f"run with --images {there}." in capsys.readouterr().err
    assert main(["ablate", "conditioning", "--domain", name, "--images", str(there + 1)]) == 2
    assert f"run with --images {there}." in capsys.readouterr().err
    with pytest.raises(UsageError, match=f"has {there} test images"):
        domains.load_domain(name).test_sources(there + 1)
