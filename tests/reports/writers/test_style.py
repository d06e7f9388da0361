import matplotlib
import numpy as np
import pytest

from reports.writers.style import EDITOR_COLOURS, axes_at, colours, house_style, new_figure, readable_on, save, wrapped


def test_known_editors_keep_their_colour_in_every_run():
    assert colours(["styleclip-global"]) == {"styleclip-global": EDITOR_COLOURS["styleclip-global"]}
    assert colours(["x", "y", "styleclip-global"])["styleclip-global"] == EDITOR_COLOURS["styleclip-global"]


def test_colours_differ_and_a_variant_alone_has_its_editors():
    many = colours(["deltaedit[a=1]", "deltaedit", "mine", "deltaedit[a=2]", "styleclip-global"])
    assert len(set(many.values())) == 5
    assert colours(["deltaedit[a=1]"])["deltaedit[a=1]"] == EDITOR_COLOURS["deltaedit"]
    assert list(many) == ["deltaedit[a=1]", "deltaedit", "mine", "deltaedit[a=2]", "styleclip-global"]


def test_the_style_ends_with_its_context():
    before = matplotlib.rcParams["font.size"]
    with house_style():
        assert matplotlib.rcParams["font.size"] == 7.5
    assert matplotlib.rcParams["font.size"] == before


def test_axes_are_placed_in_inches_from_the_upper_left():
    axes = axes_at(new_figure(4, 2), 1, 0.5, 2, 1)
    np.testing.assert_allclose(axes.get_position().bounds, (0.25, 0.25, 0.5, 0.5))


def test_files_are_the_same_bytes_each_time(tmp_path):
    contents = []
    for name in ("a", "b"):
        with house_style():
            figure = new_figure(1, 1)
            axes_at(figure, 0.2, 0.2, 0.6, 0.6).plot([0, 1], [0, 1])
            contents.append([path.read_bytes() for path in save(figure, tmp_path, name)])
    assert contents[0] == contents[1]
    assert [content[:4] for content in contents[0]] == [b"%PDF", b"\x89PNG"]


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("exact answer", 8, ["exact", "answer"]),
        ("deltaedit[threshold=0.05]", 12, ["deltaedit", "[threshold=", "0.05]"]),
        ("identity", 3, ["identity"]),
        ("styleclip-global", 40, ["styleclip-global"]),
    ],
)
def test_labels_break_where_they_may(text, width, lines):
    assert wrapped(text, width).splitlines() == lines


def test_text_stands_out_on_every_colour_of_the_map():
    """WCAG contrast of at least 4.5, computed from its formula."""

    def luminance(colour):
        parts = np.array(colour)
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    for share in np.linspace(0, 1, 21):
        colour = matplotlib.colormaps["Blues"](share)[:3]
        ink = {"black": 0.0, "white": 1.0}[readable_on(*colour)]
        high, low = sorted([luminance(colour), ink])[::-1]
        assert (high + 0.05) / (low + 0.05) >= 4.5
