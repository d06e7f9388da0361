"""Letters of other scripts, against the tables of the fonts as fontTools reads them, and against drawn pixels."""

import unicodedata

import numpy as np
import pytest
from fontTools.ttLib import TTFont
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from eval import letters
from eval.letters import draw_letters, drawable, families, font_file, lacking, tell_lost

NOWHERE = chr(0xF0000)  # of a private plane


def codes(family):
    return set(TTFont(font_manager.findfont(family)).getBestCmap())


@pytest.fixture
def bundled(monkeypatch):
    """Only the fonts that come with matplotlib; a letter that one of them has and DejaVu Sans has not."""
    mine = [entry for entry in font_manager.fontManager.ttflist if "mpl-data" in entry.fname]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", mine)
    families.cache_clear()
    more = codes("STIXGeneral") - codes("DejaVu Sans")
    yield chr(min(code for code in more if unicodedata.category(chr(code)) == "So"))
    families.cache_clear()


def drawn(text, family, prepare):
    figure = Figure(figsize=(1, 1), dpi=100)
    FigureCanvasAgg(figure)
    figure.text(0.2, 0.4, text, fontsize=30, fontfamily=family)
    prepare(figure)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., 0]


def test_a_letter_comes_from_a_font_that_has_it(bundled):
    assert lacking(f"Brücke {bundled} ω") == bundled
    (family,) = families(bundled)
    assert ord(bundled) in codes(family)
    assert drawable(f"a{bundled}") == f"a{bundled}"
    right = drawn(bundled, family, lambda figure: None)
    np.testing.assert_array_equal(drawn(bundled, "DejaVu Sans", draw_letters), right)
    box = drawn(NOWHERE, "DejaVu Sans", lambda figure: None)  # what DejaVu Sans draws for letters that it lacks
    assert (right != box).any()
    assert ord(bundled) in set(TTFont(font_file(bundled)).getBestCmap())


def test_letters_that_no_font_has_are_their_code_points(bundled):
    assert drawable(f"眼镜 a{NOWHERE}") == "[U+773C][U+955C] a[U+F0000]"
    found = drawn(f"{NOWHERE}", "DejaVu Sans", draw_letters)
    np.testing.assert_array_equal(found, drawn("[U+F0000]", "DejaVu Sans", lambda figure: None))
    assert drawable(f"a{bundled}", font_file("")) == f"a[U+{ord(bundled):04X}]"  # where one font draws everything


def test_the_letters_that_are_lost_are_told_once(bundled):
    with pytest.warns(UserWarning, match=r"No font of this machine has 眼镜: figures show \[U\+…\] instead") as told:
        tell_lost(f"眼镜 {bundled} 眼")
    assert len(told) == 1 and len(str(told[0].message)) <= 300


def test_marks_and_joiners_leave_no_boxes():
    assert lacking("e\u0301 a\u200db\ufe0f\u00a0") == ""


def test_a_font_that_cannot_be_read_has_no_letters(tmp_path):
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    assert letters._letters(str(tmp_path / "broken.ttf")) == frozenset()
