import io
import threading

import numpy as np
import pytest
from PIL import Image, ImageDraw

from eval.labelling.labels import Labels
from eval.labelling.server import LabelServer
from eval.labelling.sheets import Item, Sheets


def drawing(number: int) -> bytes:
    """A face of seed ``number``; odd ones wear a hat."""
    picture = Image.new("RGB", (128, 128), (170, 200, 230))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((30, 30, 98, 116), fill=(235, 200 - number % 7 * 15, 160))
    for x in (50, 78):
        pen.ellipse((x - 5, 60, x + 5, 70), fill=(40, 40, 40))
    pen.arc((46, 76, 82, 100), 20, 160, fill=(160, 30, 30), width=4)
    if number % 2:
        pen.rectangle((24, 8, 104, 40), fill=(20 + number % 5 * 40, 60, 90))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def server(tmp_path):
    """Thirty drawings, in sheets of twelve, on a free port."""
    labels = Labels(tmp_path / "labels.csv", "seed", ["hat", "grey_hair"])
    items = [Item(str(n), ("hat", "grey_hair"), lambda n=n: drawing(n)) for n in range(30)]
    parity = lambda ids: np.array([[int(name) % 2 + int(name) * 1e-3] for name in ids])  # noqa: E731
    sheets = Sheets(items, labels, "yes", parity)
    with LabelServer(sheets, {"hat": "hat", "grey_hair": "grey hair"}, 12) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()
