"""Groups of editors that cannot be told apart."""

from __future__ import annotations

import string
from collections.abc import Collection, Sequence


def indistinguishable_groups(names: Sequence[str], different: Collection[tuple[str, str]]) -> list[tuple[str, ...]]:
    """The maximal sets of editors without any significant difference inside (insert and absorb, Piepho 2004).

    An editor can be in several groups: A and B, B and C cannot be told apart, yet A and C can.

    Args:
        names: the editors.
        different: pairs that differ significantly, in either order.

    Returns:
        Groups, each in the order of ``names``, by their first members.

    >>> indistinguishable_groups(["a", "b", "c"], [("a", "c")])
    [('a', 'b'), ('b', 'c')]
    """
    groups = [frozenset(names)] if names else []
    for first, second in different:
        split = []
        for group in groups:
            both = first in group and second in group
            split += [group - {first}, group - {second}] if both else [group]
        distinct = list(dict.fromkeys(split))
        groups = [group for group in distinct if not any(group < other for other in distinct)]
    place = {name: row for row, name in enumerate(names)}
    ordered = [tuple(sorted(group, key=place.__getitem__)) for group in groups]
    return sorted(ordered, key=lambda group: [place[name] for name in group])


def letters(names: Sequence[str], different: Collection[tuple[str, str]]) -> dict[str, str]:
    """The compact letter display: editors that share a letter cannot be told apart.

    >>> letters(["a", "b", "c"], [("a", "c")])
    {'a': 'a', 'b': 'ab', 'c': 'b'}
    """
    groups = indistinguishable_groups(names, different)
    signs = [string.ascii_lowercase[row % 26] * (row // 26 + 1) for row in range(len(groups))]
    return {name: "".join(sign for sign, group in zip(signs, groups, strict=True) if name in group) for name in names}
