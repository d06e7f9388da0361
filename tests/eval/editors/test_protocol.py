from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from eval.editors.protocol import Editor
from eval.editors.registry import parse_methods

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "adding_an_editor.md"


def test_the_editor_of_the_guide_works(tiny_domain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = re.search(r"```python\n(# sharpen.py.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    (tmp_path / "sharpen.py").write_text(code[1])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    (spec,), _ = parse_methods("sharpen:Sharpen[gain=0.5]")
    editor = spec.build(seed=3)
    assert isinstance(editor, Editor)
    assert (editor.gain, editor.seed, spec.label) == (0.5, 3, "sharpen[gain=0.5]")
    prompt = tiny_domain.prompts[0]
    editor.prepare(tiny_domain.editing)
    editor.fit(prompt)
    latents = tiny_domain.test_sources(3).latents
    assert torch.equal(editor.edit(latents, prompt, 0.0).s, latents.s)
    whole, half = (editor.edit(latents, prompt, strength).s - latents.s for strength in (1.0, 0.5))
    assert whole.abs().max() > 0
    torch.testing.assert_close(half, whole / 2, atol=1e-6, rtol=1e-4)
