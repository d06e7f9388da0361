"""Print the dependencies of pyproject.toml at their lower bounds, one a line, for `.ci/run lowest`."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
for requirement in project["dependencies"]:
    name, bound = re.match(r"([\w.-]+)>=([\w.]+)", requirement).groups()
    print(f"{name}=={bound}")
