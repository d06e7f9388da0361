"""What is measured of the judges, against counts done by hand."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from eval.commands.judges import judges as command
from eval.errors import UsageError
from eval.judging.quality import _verification, broken_promises, measure_judges
from eval.pixels import round_to_8_bit
from reports.studies.judges import identity_table, readers_table


@pytest.fixture
def found(tiny_domain):
    return measure_judges(tiny_domain, 10)


def test_accuracy_is_the_share_of_what_can_be_seen(tiny_domain, found):
    prompt = tiny_domain.prompts[0]  # glasses; the mouths of the red-haired are hidden
    sources = tiny_domain.test_sources(10)
    truth = sources.factors.copy()
    truth[:, 0] = 1
    counterfactuals = round_to_8_bit(tiny_domain.counterfactuals("test", 10, prompt))
    read = np.stack([logits.argmax(1).numpy() for logits in tiny_domain.judges.attributes(counterfactuals).values()], 1)
    seen = tiny_domain.visible("test", 10, prompt)
    right = sum(int(read[i, j] == truth[i, j]) for i in range(10) for j in (1, 2) if seen[i, j])
    total = sum(int(seen[i, j]) for i in range(10) for j in (1, 2))
    stages = found["readers"]["attributes"]
    assert stages["counterfactuals"]["others"]["glasses"] == pytest.approx(right / total)
    assert stages["counterfactuals"]["target"]["glasses"] == pytest.approx(np.mean(read[:, 0] == 1))
    assert set(stages) == {"unedited", "counterfactuals", "inverted"}
    assert "clip" not in found["readers"]  # this domain has no words for its values


def test_a_perfect_judge_is_right_about_everything(tiny_domain):
    """It knows the pictures, edited or not, by heart."""
    known = []
    for prompt in (None, *tiny_domain.prompts):
        values = tiny_domain.test_sources(6).factors.copy()
        images = tiny_domain.test_sources(6).images
        if prompt is not None:
            factor = list(tiny_domain.factors).index(prompt.attribute)
            values[:, factor] = tiny_domain.factors[prompt.attribute].index(prompt.value)
            images = tiny_domain.counterfactuals("test", 6, prompt)
        known.append((round_to_8_bit(images), values))
    pictures, values = torch.cat([image for image, _ in known]).flatten(1), np.concatenate([v for _, v in known])

    def attributes(images):
        rows = values[torch.cdist(images.flatten(1), pictures).argmin(1).numpy()]
        sizes = [len(names) for names in tiny_domain.factors.values()]
        return {name: torch.eye(sizes[i])[rows[:, i]] for i, name in enumerate(tiny_domain.factors)}

    promise = dict.fromkeys(tiny_domain.factors, 1.0)
    tiny_domain.judges = dataclasses.replace(tiny_domain.judges, attributes=attributes, accuracy=promise)
    tiny_domain.editing = dataclasses.replace(tiny_domain.editing, encoder=None)
    found = measure_judges(tiny_domain, 6)
    for stage in ("unedited", "counterfactuals"):
        assert set(found["readers"]["attributes"][stage]["factor"].values()) == {1.0}
    found["identity"]["counterfactuals"]["auc"] = 1.0
    assert "inverted" not in found["identity"]  # without an encoder
    assert broken_promises(found, promise) == []

    def permuted(images):
        return {name: logits.roll(1, 1) for name, logits in attributes(images).items()}

    tiny_domain.judges = dataclasses.replace(tiny_domain.judges, attributes=permuted)
    sentences = broken_promises(measure_judges(tiny_domain, 6), promise)
    assert any(
        "reads 'hair' right in 0% of the counterfactuals pictures; its card promises 100%" in text for text in sentences
    )


def test_verification_by_hand():
    same, different = torch.tensor([0.9, 0.8, 0.2, 0.7]), torch.linspace(-0.5, 0.5, 101)
    found = _verification(same, different)
    assert found["floor"] == pytest.approx(0, abs=1e-6) and found["ceiling"] == pytest.approx(0.65)
    assert found["auc"] == pytest.approx((101 * 3 + 70) / 404, abs=1 / 404)  # 0.2 lies above 70 or 71 of the others
    one, tenth = found["at"]
    assert one["threshold"] == pytest.approx(0.49, abs=1e-6) and tenth["threshold"] == pytest.approx(0.5, abs=1e-6)
    assert one["verified"] == tenth["verified"] == 0.75
    assert sum(found["same"]) == 4 and sum(found["different"]) == 101


def test_tables_hold_what_was_measured(found):
    found["cards"] = {"attribute-judge": {"accuracy on visible factors: hair": 0.75, "seconds": 3}}
    rows = {(row["of"], row["name"]): row for row in readers_table(found).data}
    assert rows["factor", "hair"]["card"] == 0.75 and rows["factor", "mouth"]["card"] is None
    assert rows["target", "smile"]["inverted"] == found["readers"]["attributes"]["inverted"]["target"]["smile"]
    assert [row["false_match_rate"] for row in identity_table(found).data] == [0.01, 0.001] * 2


def test_the_command_writes_everything_and_tells_a_useless_judge(tiny_domain, monkeypatch, tmp_path):
    promise = dict.fromkeys(tiny_domain.factors, 1.0)  # random networks do not keep it
    tiny_domain.judges = dataclasses.replace(tiny_domain.judges, accuracy=promise)
    monkeypatch.setattr("eval.domains.load_domain", lambda name, **where: tiny_domain)
    result = CliRunner().invoke(command, ["--images", "8", "--out", str(tmp_path)], standalone_mode=False)
    assert result.exception is None and result.return_value == 1, result.output
    assert "its card promises 100%" in result.output
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    tables = {f"tables/{name}.{end}" for name in ("judges", "judges_identity") for end in ("csv", "md", "tex")}
    assert names == {"judges.json", "figures/judges.png", "figures/judges.pdf", *tables}
    assert json.loads((tmp_path / "judges.json").read_text())["fingerprints"] == {"judge": "3" * 64}


def test_a_run_of_other_judges_is_left_alone(tiny_domain, monkeypatch, tmp_path):
    monkeypatch.setattr("eval.domains.load_domain", lambda name, **where: tiny_domain)
    (tmp_path / "manifest.json").write_text(json.dumps({"fingerprints": {"judge": "9" * 64}}))
    result = CliRunner().invoke(command, ["--images", "8", "--out", str(tmp_path)], standalone_mode=False)
    assert isinstance(result.exception, UsageError) and "scored by other judges (judge)" in str(result.exception)


def test_a_domain_that_knows_no_answers_is_told(tiny_domain, monkeypatch):
    monkeypatch.setattr(tiny_domain, "counterfactuals", lambda *_: None)
    with pytest.raises(UsageError, match="knows no exact factors and no counterfactuals"):
        measure_judges(tiny_domain, 8)
