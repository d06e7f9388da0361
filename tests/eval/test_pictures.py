"""Every kind of picture file, against arithmetic on the numbers that were written into it."""

import io
import struct

import numpy as np
import pytest
import torch
from PIL import Image

from eval.errors import UsageError
from eval.pictures import check_pictures, pictures_in, read_picture, read_pictures

COLOURS = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
GREY = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4  # 0 to 252


def read(path, **options):
    """uint8 [H, W, 3] and notes."""
    found = read_picture(path, **options)
    assert found.pixels.dtype == torch.float32 and found.pixels.abs().max() <= 1
    return ((found.pixels.permute(1, 2, 0).numpy() + 1) * 127.5).round().astype(np.uint8), found.notes


def grey_rgb(levels):
    return np.repeat(np.asarray(levels, dtype=np.uint8)[..., None], 3, 2)


@pytest.mark.parametrize(
    ("name", "numbers", "said"),
    [
        ("a.png", GREY.astype(np.uint16) * 257, None),
        ("a.tif", GREY.astype(np.uint16) * 257, None),
        ("a.tif", GREY.astype(np.int32) * 257, "0 (black) to 65535 (white)"),
        ("a.tif", GREY.astype(np.int32), "0 (black) to 255 (white)"),
        ("a.tif", GREY.astype(np.float32), "0 (black) to 255 (white)"),
        ("a.tif", GREY.astype(np.float32) / 255, "0 (black) to 1 (white)"),
    ],
    ids=["png 16", "tiff 16", "tiff 32 of 16", "tiff 32 of 8", "float to 255", "float to 1"],
)
def test_grey_of_many_bits_keeps_its_brightness(tmp_path, name, numbers, said):
    Image.fromarray(numbers).save(tmp_path / name)
    picture, notes = read(tmp_path / name)
    np.testing.assert_array_equal(picture, grey_rgb(GREY))
    assert not notes if said is None else (said in notes[0] and len(notes) == 1)


@pytest.mark.parametrize(
    "numbers",
    [GREY * np.float32(-1), GREY * np.float32(9), GREY * np.int32(10**6)],
)
def test_numbers_whose_white_nobody_knows_are_refused(tmp_path, numbers):
    Image.fromarray(numbers).save(tmp_path / "a.tif")
    with pytest.raises(UsageError, match=r"a.tif holds numbers from .* allowed are 0 to .*8-bit PNG"):
        read_picture(tmp_path / "a.tif")


def test_numbers_that_are_none_are_said_to_be(tmp_path):
    numbers = (GREY / 255).astype(np.float32)
    numbers[2, 3] = np.nan
    Image.fromarray(numbers).save(tmp_path / "a.tif")
    with pytest.raises(UsageError, match=r"a.tif holds numbers that are NaN or infinite"):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "content",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(x) run\n",
        b"\xd7\xcd\xc6\x9a" + bytes(40),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    ],
    ids=["EPS", "WMF", "SVG"],
)
def test_a_drawing_under_the_name_of_a_picture_is_never_drawn(tmp_path, content, monkeypatch):
    monkeypatch.setattr("subprocess.check_call", lambda *_, **__: pytest.fail("a program was called"))
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UsageError, match=r"a.png is no whole picture that can be read \(cannot identify image file"):
        read_picture(tmp_path / "a.png")


def test_what_is_seen_through_a_picture_is_white_and_the_hidden_colour_never(tmp_path):
    alpha = np.where(np.arange(8) < 4, 0, 255).astype(np.uint8)[None].repeat(8, 0)
    right = COLOURS.copy()
    right[:, :4] = 255
    Image.fromarray(np.dstack([COLOURS, alpha])).save(tmp_path / "rgba.png")
    Image.fromarray(np.dstack([GREY, alpha])).save(tmp_path / "la.png")
    sixteen = Image.fromarray(GREY.astype(np.uint16) * 257)
    sixteen.save(tmp_path / "i16.png", transparency=0)
    flat = Image.fromarray(GREY // 64 * 64).convert("P")
    flat.save(tmp_path / "p.png", transparency=0)
    for name, wanted in (("rgba.png", right), ("la.png", np.where(alpha[..., None] == 0, 255, grey_rgb(GREY)))):
        picture, notes = read(tmp_path / name)
        np.testing.assert_array_equal(picture, wanted)
        assert notes == (f"{name} has transparent parts, which are white.",)
    np.testing.assert_array_equal(read(tmp_path / "i16.png")[0], grey_rgb(np.where(GREY == 0, 255, GREY)))
    palette = GREY // 64 * 64
    np.testing.assert_array_equal(read(tmp_path / "p.png")[0], grey_rgb(np.where(palette == 0, 255, palette)))


def test_palettes_and_print_colours(tmp_path):
    Image.fromarray(GREY // 64 * 64).convert("P").save(tmp_path / "p.png")
    np.testing.assert_array_equal(read(tmp_path / "p.png")[0], grey_rgb(GREY // 64 * 64))
    flat = np.full((16, 16, 3), (200, 40, 90), np.uint8)
    Image.fromarray(flat).convert("CMYK").save(tmp_path / "c.tif")
    np.testing.assert_allclose(read(tmp_path / "c.tif")[0].astype(int), flat, atol=1)


def exif(number: int, extra: bytes = b"", count: int = 1) -> bytes:
    head = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", count)
    return head + struct.pack("<HHI4s", 0x0112, 3, 1, struct.pack("<HH", number, 0)) + extra + struct.pack("<I", 0)


def test_the_turn_of_exif_is_made_and_a_damaged_tag_is_said(tmp_path):
    picture = Image.fromarray(COLOURS)
    picture.save(tmp_path / "turned.png", exif=exif(6))
    found, notes = read(tmp_path / "turned.png")
    np.testing.assert_array_equal(found, np.rot90(COLOURS, -1))
    assert not notes
    picture.save(tmp_path / "head.png", exif=b"Exif\0\0XX*\0")
    found, notes = read(tmp_path / "head.png")
    np.testing.assert_array_equal(found, COLOURS)
    assert notes == ("head.png has an unreadable EXIF tag; the picture is used as it is stored.",)
    odd = struct.pack("<HHI4s", 0x0100, 2, 4, b"abc\0") + struct.pack("<HHI4s", 0x0111, 2, 4, b"abc\0")
    picture.save(tmp_path / "odd.png", exif=exif(6, odd, 3))
    found, notes = read(tmp_path / "odd.png")
    np.testing.assert_array_equal(found, np.rot90(COLOURS, -1))
    assert "unreadable EXIF tag; the picture is turned" in notes[0]


def damaged(tmp_path):
    """An empty, a halved, a broken and an absent file, and one that is no picture."""
    noise = Image.fromarray(np.random.default_rng(2).integers(0, 256, (256, 256, 3)).astype(np.uint8))
    for name, kind in (("half.jpg", "JPEG"), ("broken.png", "PNG")):
        buffer = io.BytesIO()
        noise.save(buffer, kind)
        data = bytearray(buffer.getvalue())
        if kind == "PNG":
            second = data.index(b"IDAT", data.index(b"IDAT") + 4)
            data[second : second + 4] = b"\0\0\0\0"
        (tmp_path / name).write_bytes(data[: len(data) // 2] if kind == "JPEG" else data)
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (tmp_path / "text.png").write_text("no picture")
    return [tmp_path / name for name in ("half.jpg", "broken.png", "empty.png", "phone.heic", "text.png", "absent.png")]


def test_all_faults_are_told_at_once_each_with_its_file(tmp_path):
    paths = damaged(tmp_path)
    with pytest.raises(UsageError) as told:
        list(read_pictures(paths))
    lines = str(told.value).splitlines()
    assert [path.name in line for path, line in zip(paths, lines, strict=True)] == [True] * 6
    assert all(len(line) <= 300 + len(str(tmp_path)) for line in lines)
    assert "is an empty file" in lines[2] and "convert it to PNG or JPEG" in lines[3] and "no picture" in lines[5]
    with pytest.raises(UsageError) as told:
        check_pictures(paths, 8, "centre")
    assert str(told.value).splitlines() == lines


def test_a_picture_that_is_there_twice_is_named_with_its_double(tmp_path):
    for name in ("a.png", "b.png", "c.bmp"):
        Image.fromarray(COLOURS if name != "b.png" else COLOURS[::-1].copy()).save(tmp_path / name)
    with pytest.raises(UsageError, match=r"c.bmp is the same picture as a.png"):
        check_pictures(sorted(tmp_path.iterdir()), 8, "square")


def test_shapes_are_cut_or_refused(tmp_path):
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255
    path = tmp_path / "wide.png"
    Image.fromarray(wide).save(path)
    with pytest.raises(UsageError, match=r"wide.png is 30 x 10 px; photographs must be square"):
        read_picture(path, 10, "square")
    found = read_picture(path, 5)
    assert torch.equal(found.pixels, torch.ones(3, 5, 5))
    assert found.notes == ("wide.png (30 x 10 px) is cut to the middle 10 x 10 and resized to 5 x 5.",)


def test_a_folder_as_people_have_it(tmp_path):
    for name in ("b.PNG", "a.jpeg"):
        Image.fromarray(COLOURS).save(tmp_path / name)
    (tmp_path / "._a.jpeg").write_bytes(b"hidden")
    (tmp_path / ".DS_Store").write_bytes(b"hidden")
    (tmp_path / "sub.png").mkdir()
    for number in range(10):
        (tmp_path / f"{number}.heic").write_bytes(b"x")
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    paths, said = pictures_in(tmp_path)
    assert [path.name for path in paths] == ["a.jpeg", "b.PNG"]
    assert said.endswith("11 files of other kinds left out: 10 .heic, 1 .db (convert HEIC to PNG or JPEG to use it).")


def test_only_the_first_of_several_pictures_in_a_file_is_taken_and_said(tmp_path):
    first, second = Image.fromarray(COLOURS), Image.fromarray(COLOURS[::-1].copy())
    first.save(tmp_path / "a.tif", save_all=True, append_images=[second])
    picture, notes = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(picture, COLOURS)
    assert notes == ("a.tif holds several pictures; the first is taken.",)
