"""An explanation for people: a heading a line, what is long cut short (`--json` has all of it)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 11  # of the headings
SHOWN = 4  # items of a list


def lines_of(found: Mapping[str, Any]) -> list[str]:
    """The lines that `deltabench why` prints."""
    value = found["value"]
    text = value["text"] or "blank"
    interval = f"   (95 %: {value['low']} to {value['high']})" if value.get("low") else ""
    lines = [f"{value['name']} = {text}{interval}", ""]
    lines += _entry("Formula", found["formula"]["text"], f"[{found['formula']['source']}]")
    if found["formula"].get("interval"):
        lines += _entry("Interval", found["formula"]["interval"])
    lines += _entry("Cells", *_cells(found.get("cells", {})))
    lines += _entry("Pull most", *_pulls(found.get("cells", {})))
    lines += _entry("Networks", *(_network(network) for network in found["networks"]))
    lines += _entry("Recipe", *(f"{metric}: {recipe}" for metric, recipe in found["recipe"].items() if recipe))
    lines += _entry("Editor", *_editor(found["editor"]))
    lines += _entry("Strength", *_strengths(found["strengths"]))
    lines += _entry("Cost", *_costs(found["costs"]))
    seeds = [f"{name} {number}" for name, number in found["seeds"].items() if number is not None]
    lines += _entry("Seeds", ", ".join(seeds))
    lines += _entry("Repeats", found["determinism"])
    lines += _entry("Code", *_code(found["code"]))
    lines += _entry("Read from", *_files(found["files"]))
    return [*lines, "", *_entry("Check", _check(found["recomputed"]))]


def _entry(heading: str, *texts: str) -> list[str]:
    kept = [text for text in texts if text]
    return [f"{heading if place == 0 else '':<{WIDTH}}{text}" for place, text in enumerate(kept)]


def _cells(cells: Mapping[str, Any]) -> list[str]:
    if "counted" not in cells:
        return [f"{cells['finished']} finished"] if cells.get("finished") else []
    lines = [f"{cells['counted']} of {cells['finished']} finished ones count: {cells['over']}"]
    lines += [f"{number} do not: {reason}" for reason, number in cells.get("excluded", {}).items()]
    if cells.get("without_number"):
        lines.append(f"{cells['without_number']} of them have no number (not visible, or not known)")
    if cells.get("failed_chunks"):
        lines.append(f"failed chunks, left out: {_short(cells['failed_chunks'])}")
    return lines


def _pulls(cells: Mapping[str, Any]) -> list[str]:
    largest, prompts = cells.get("largest", []), cells.get("prompts", [])
    lines = []
    if len(prompts) > 1:
        shown = [f"{p['prompt']} {p['mean']:.4g} over {p['cells']} ({p['pull']:+.2g})" for p in prompts[:SHOWN]]
        lines.append(f"prompts: {', '.join(shown)}")
    if largest and largest[0]["pull"]:
        shown = [f"{c['prompt']}/{c['image']} {c['number']:.4g} ({c['pull']:+.2g})" for c in largest[:SHOWN]]
        lines.append(f"cells: {', '.join(shown)}")
    return lines


def _network(network: Mapping[str, Any]) -> str:
    details = [f"{name} {value}" for name, value in network.items() if name not in ("network", "sha256")]
    return f"{network['network']}, sha256 {network['sha256']}" + (f"; {', '.join(details)}" if details else "")


def _editor(editor: Mapping[str, Any]) -> list[str]:
    if not editor:
        return []
    parameters = ", ".join(f"{name}={value}" for name, value in editor.get("parameters", {}).items())
    made = f"{editor.get('class')}, {parameters or 'default parameters'}"
    return [f"{made}, in {editor.get('space')}; {editor.get('paper')}"]


def _strengths(strengths: Mapping[str, Any]) -> list[str]:
    how = "; ".join(f"{kind}: {text}" if text else kind for kind, text in strengths["how"].items())
    by_prompt = strengths["by_prompt"]
    if len(set(by_prompt.values())) == 1:
        return [f"{next(iter(by_prompt.values())):g} ({how})"]
    return [how, ", ".join(f"{name} {value:g}" for name, value in by_prompt.items())]


def _costs(costs: Mapping[str, Any]) -> list[str]:
    if not costs:
        return []
    known = [(name, costs.get(key)) for name, key in (("set-up", "set_up_s"), ("prompts", "fit_s"))]
    parts = [f"{name} {seconds:.4g} s" for name, seconds in known if seconds]
    lines = [f"{', '.join(parts) or 'no set-up'} on {costs.get('hardware')}"]
    artefacts = costs.get("artefacts")
    if artefacts is None:
        return [*lines, "artefacts: not recorded by the version that made this run"]
    lines += [_artefact(artefact) for artefact in artefacts[:SHOWN]]
    return lines + ([f"and {len(artefacts) - SHOWN} artefacts more"] if len(artefacts) > SHOWN else [])


def _artefact(artefact: Mapping[str, Any]) -> str:
    cost = "" if artefact.get("cost_s") is None else f", {artefact['cost_s']:.4g} s on {artefact.get('hardware')}"
    return f"{artefact['file']}{cost}"


def _code(code: Mapping[str, Any]) -> list[str]:
    packages = ", ".join(f"{name} {version}" for name, version in code["packages"].items())
    return [f"commit {code['commit']}, {code['created']}, {code['hardware']}", packages]


def _files(files: Sequence[str]) -> list[str]:
    return [f"{len(files)} {'file' if len(files) == 1 else 'files'}: {_short(files)}"] if files else []


def _short(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _check(made: Mapping[str, Any]) -> str:
    if made["agrees"] is None:
        return str(made["how"])
    value = "blank" if made["value"] is None else made["value"]
    if not made["agrees"]:
        return f"{value} ({made['how']}): DIFFERS from the table; write it anew with `deltabench report`"
    difference = f", difference {made['difference']:.2g}" if made["difference"] else ""
    return f"{value} ({made['how']}): agrees{difference}"
