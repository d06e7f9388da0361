"""A hundred inputs for every reader, always the same; ``python -m tests.fuzz`` tries others."""

import pytest

from tests.fuzz.readers import READERS, generator

pytestmark = pytest.mark.slow

INPUTS = 100


@pytest.mark.parametrize("name", READERS)
def test_a_reader_reads_rightly_or_says_why_not(name, tmp_path):
    trial = READERS[name](tmp_path)
    read = 0
    for number in range(INPUTS):
        try:
            read += trial(generator(name, 0, number))
        except Exception as error:
            error.add_note(f"python -m tests.fuzz --reader '{name}' --first {number} --inputs 1")
            raise
    assert read < INPUTS
    assert read > 0 or name == "encoder"  # of which no small file is whole
