"""Standard output and error as shells give them: closed, left early, without Unicode, without a home folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
START = [sys.executable, "-c", "import sys; from eval.cli import main; sys.exit(main())"]
ODD = "眼镜\x1b[31m.toml"


def call(*words, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    return subprocess.run([*START, *words], capture_output=True, check=False, env=environment, **options)


def test_letters_that_the_terminal_lacks_are_escapes():
    done = call("report", ODD, env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    assert done.returncode == 2
    told = done.stderr.decode()
    assert told.endswith("is not a run folder: it has no manifest.json; `deltabench run` makes one.\n")
    assert "\x1b" not in told and r"\x1b[31m.toml" in told and told.count("\n") == 1


def test_a_reader_that_leaves_is_no_error():
    """The first line is read, then the pipe is closed: as ``| head -1``."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = subprocess.Popen(
        [*START, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**environment, "PYTHONUNBUFFERED": "1"}
    )
    assert started.stdout is not None and started.stderr is not None
    started.stdout.close()
    assert started.stderr.read() == b""
    assert started.wait() == 0
    started.stderr.close()


@pytest.mark.skipif(os.name != "posix", reason="the shell of other systems closes no streams")
def test_closed_streams_are_no_error():
    closed = subprocess.run(
        f'"{sys.executable}" -c "import sys; from eval.cli import main; sys.exit(main())" --help <&- >&- 2>&-',
        shell=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert closed.returncode == 0


def test_what_is_written_after_the_reader_left_goes_nowhere():
    from eval.commands.terminal import patient_streams

    reading, writing = os.pipe()
    os.close(reading)
    with pytest.MonkeyPatch.context() as patch, open(writing, "w", encoding="ascii") as stream:
        patch.setattr(sys, "stdout", stream)
        with patient_streams():
            for _ in range(3):
                print("眼", flush=True)
            assert sys.stdout.encoding == "ascii"
        assert sys.stdout is stream


@pytest.mark.skipif(os.name != "posix", reason="other systems keep the folder that a process works in")
def test_a_folder_that_is_gone_is_one_sentence(tmp_path, monkeypatch, capsys):
    from eval.cli import main

    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for command in (["run", "--methods", "identity", "--out", "here"], ["methods"]):
        assert main(command) == 2
        told = capsys.readouterr()
        assert told.err == "The current folder is gone; change into a folder that exists and give the command again.\n"
