"""What an avatar is made of: factors, values, words, visibility, and the prior they are drawn from.

An avatar is ten categorical *factors* (what a prompt may ask for) and ten continuous *geometry* numbers
(who the person is, which an edit must keep).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

# value -> phrases that name it in a caption; the first phrase is the canonical one
FACTORS: dict[str, dict[str, tuple[str, ...]]] = {
    "skin": {
        "pale": ("pale skin", "very light skin", "fair skin"),
        "light": ("light skin", "peach skin"),
        "tanned": ("tanned skin", "tan skin"),
        "brown": ("brown skin", "bronze skin"),
        "dark": ("dark skin", "very dark skin"),
    },
    "hair_color": {
        "black": ("black hair", "dark hair"),
        "brown": ("brown hair", "chestnut hair"),
        "blond": ("blond hair", "blonde hair", "golden hair"),
        "red": ("red hair", "ginger hair"),
        "gray": ("gray hair", "grey hair", "white hair"),
    },
    "top": {
        "bald": ("bald head", "no hair"),
        "afro": ("afro", "afro hair"),
        "curly": ("curly hair", "curls"),
        "long": ("long hair", "long straight hair"),
        "short": ("short hair", "short haircut"),
        "receding": ("receding hairline", "receding hair"),
        "hat": ("hat", "black hat"),
        "winter_hat": ("winter hat", "knitted hat", "beanie"),
        "hijab": ("hijab", "headscarf"),
    },
    "facial_hair": {
        "none": ("no beard", "clean-shaven chin"),
        "beard": ("beard", "stubble beard"),
        "long_beard": ("long beard", "full beard"),
        "moustache": ("moustache", "mustache"),
    },
    "accessories": {
        "none": ("no glasses", "bare eyes"),
        "glasses": ("glasses", "eyeglasses", "spectacles"),
        "sunglasses": ("sunglasses", "shades", "dark glasses"),
    },
    "mouth": {
        "smile": ("smile", "smiling mouth", "happy smile"),
        "sad": ("sad mouth", "frown", "unhappy mouth"),
        "serious": ("serious mouth", "straight mouth", "neutral mouth"),
        "open": ("open mouth", "screaming mouth", "wide open mouth"),
    },
    "eyes": {
        "open": ("open eyes", "normal eyes"),
        "closed": ("closed eyes", "shut eyes"),
        "happy": ("happy eyes", "laughing eyes"),
        "surprised": ("surprised eyes", "wide eyes", "big eyes"),
    },
    "eyebrows": {
        "flat": ("relaxed eyebrows", "normal eyebrows"),
        "angry": ("angry eyebrows", "angry brows"),
        "worried": ("worried eyebrows", "sad eyebrows"),
        "raised": ("raised eyebrows", "raised brows"),
    },
    "clothes_color": {
        "black": ("black clothes",),
        "blue": ("blue clothes",),
        "red": ("red clothes",),
        "green": ("green clothes",),
        "yellow": ("yellow clothes",),
    },
    "background": {
        "blue": ("blue background",),
        "pink": ("pink background",),
        "gray": ("gray background", "grey background"),
    },
}

FACTOR_NAMES: tuple[str, ...] = tuple(FACTORS)
VALUES: dict[str, tuple[str, ...]] = {factor: tuple(values) for factor, values in FACTORS.items()}

# Who the person is. Every number is uniform in [-1, 1]; renderer.py says what one unit moves.
GEOMETRY: tuple[str, ...] = (
    "eyes_height",
    "eyes_spacing",
    "eyes_size",
    "eyebrows_height",
    "nose_height",
    "nose_size",
    "mouth_height",
    "mouth_width",
    "face_width",
    "skin_shade",
)

HAIRLESS_TOPS = ("bald", "hat", "winter_hat", "hijab")  # no hair in sight: its colour is not to be seen

DEFAULT_RHO = 0.5  # strength of the correlations in the training prior; 0 = independent factors


def value_index(factor: str, value: str) -> int:
    """Position of ``value`` among the values of ``factor``.

    >>> value_index("accessories", "sunglasses")
    2
    """
    return VALUES[factor].index(value)


def column(factor: str) -> int:
    """Column of ``factor`` in ``Portraits.values``.

    >>> column("skin")
    0
    """
    return FACTOR_NAMES.index(factor)


@dataclass(frozen=True)
class Portraits:
    """N avatars as numbers.

    values: int64 [N, 10], index of each factor's value.
    geometry: float32 [N, 10] in [-1, 1], the person's own measures.
    """

    values: np.ndarray
    geometry: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: object) -> Portraits:
        rows = np.atleast_1d(np.arange(len(self))[index])  # type: ignore[call-overload]
        return Portraits(self.values[rows], self.geometry[rows])

    def codes(self) -> np.ndarray:
        """One-hot factors followed by geometry: float32 [N, 46 + 10]."""
        blocks = [
            np.eye(len(VALUES[factor]), dtype=np.float32)[self.values[:, i]] for i, factor in enumerate(FACTOR_NAMES)
        ]
        return np.concatenate([*blocks, self.geometry.astype(np.float32)], axis=1)

    def changed(self, change: Mapping[str, str]) -> Portraits:
        """The same persons with some factors set: the counterfactual of an edit.

        Args:
            change: factor -> value, for example ``{"accessories": "glasses"}``.

        Raises:
            ValueError: a factor or value that does not exist.
        """
        values = self.values.copy()
        for factor, value in change.items():
            if value not in VALUES.get(factor, ()):
                allowed = ", ".join(VALUES.get(factor, FACTOR_NAMES))
                raise ValueError(f"avatars have no {factor!r} of value {value!r}; there are: {allowed}")
            values[:, column(factor)] = value_index(factor, value)
        return Portraits(values, self.geometry)

    def visible(self) -> np.ndarray:
        """Which factors can be seen: bool [N, 10].

        Hair colour is hidden on heads without hair in sight (unless facial hair shows it), eyes behind sunglasses,
        clothes under a hijab.
        """
        seen = np.ones(self.values.shape, dtype=bool)
        top = self.values[:, column("top")]
        bare = np.isin(top, [value_index("top", value) for value in HAIRLESS_TOPS])
        shaven = self.values[:, column("facial_hair")] == value_index("facial_hair", "none")
        seen[:, column("hair_color")] = ~(bare & shaven)
        seen[:, column("eyes")] = self.values[:, column("accessories")] != value_index("accessories", "sunglasses")
        seen[:, column("clothes_color")] = top != value_index("top", "hijab")
        return seen


CODE_SIZE = sum(len(values) for values in VALUES.values()) + len(GEOMETRY)


def sample_portraits(count: int, seed: int, rho: float = DEFAULT_RHO) -> Portraits:
    """Draw avatars from the documented prior.

    Every factor is uniform over its values on its own. With probability ``rho``, each rule below overrides it, so that
    attributes come entangled as they do in photos:

    * gray hair: half of them glasses, half of them a receding hairline;
    * any facial hair: short, receding or no hair;
    * hijab: no facial hair;
    * smile: happy eyes and raised eyebrows, each in half of the cases;
    * sad mouth: worried eyebrows.

    Args:
        count: how many.
        seed: same seed, same avatars.
        rho: 0 (independent: the balanced test set) to 1.
    """
    rng = np.random.default_rng(seed)
    draws = {factor: rng.integers(0, len(VALUES[factor]), count) for factor in FACTOR_NAMES}

    def override(where: np.ndarray, factor: str, *allowed: str) -> None:
        rows = where & (rng.random(count) < rho)
        choices = rng.choice([value_index(factor, value) for value in allowed], count)
        draws[factor] = np.where(rows, choices, draws[factor])

    def half() -> np.ndarray:
        return rng.random(count) < 0.5

    gray = draws["hair_color"] == value_index("hair_color", "gray")
    override(gray & half(), "accessories", "glasses")
    override(gray & half(), "top", "receding")
    bearded = draws["facial_hair"] != value_index("facial_hair", "none")
    override(bearded, "top", "short", "receding", "bald")
    override(draws["top"] == value_index("top", "hijab"), "facial_hair", "none")
    smiling = draws["mouth"] == value_index("mouth", "smile")
    override(smiling & half(), "eyes", "happy")
    override(smiling & half(), "eyebrows", "raised")
    override(draws["mouth"] == value_index("mouth", "sad"), "eyebrows", "worried")

    values = np.stack([draws[factor] for factor in FACTOR_NAMES], axis=1).astype(np.int64)
    geometry = rng.uniform(-1, 1, (count, len(GEOMETRY))).astype(np.float32)
    return Portraits(values, geometry)
