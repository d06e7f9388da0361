"""DeltaEdit's hyper-parameters, each stated here and nowhere else."""

from dataclasses import dataclass

from deltaedit.tools.parameters import any_seed, keyed, number, one_of, parameter, positive, true_or_false, whole
from deltaedit.variants import ARMS, OUTPUTS


@dataclass(frozen=True)
class Settings:
    """What the editor ``deltaedit`` can be given; those with a key determine the trained mapper."""

    threshold: float = parameter(0.03, number(0), "τ, the relevance below which a channel stays as it is")
    normalise_threshold_delta: bool = parameter(
        False, true_or_false(), "compare τ with R_s · Δt / ‖Δt‖ instead of R_s · Δt (false as released)"
    )
    arm: str = parameter("delta", one_of(ARMS), "what conditions the mapper, in training and editing", "arm")
    templates: bool = parameter(True, true_or_false(), "average texts over the 79 templates")
    steps: int = parameter(6_000, whole(), "steps of the mapper's training (released: 201,562)", "steps")
    batch: int = parameter(64, whole(), "pairs in a step", "batch")
    learning_rate: float = parameter(
        0.5, positive(), "Adam's learning rate, of which every layer takes a hundredth", "learning_rate"
    )
    schedule: str = parameter(
        "cosine", one_of(("constant", "cosine")), "constant as released, or cosine: down to 0 at the end", "schedule"
    )
    mse_weight: float = parameter(1.0, number(0), "weight of the squared error", "mse_weight")
    cosine_weight: float = parameter(1.0, number(0), "weight of 1 - cosine", "cosine_weight")
    levels: bool = parameter(True, true_or_false(), "coarse, medium and fine mappers, or one for all styles", "levels")
    origin: str = parameter("both", one_of(("both", "inverted", "sampled")), "which images to train on", "origin")
    training_images: int = parameter(0, whole(0), "how many of them to train on, 0 for all", "images")
    bfloat16: bool = parameter(True, true_or_false(), "train in bfloat16 where the hardware has it", "bfloat16")
    training_seed: int = parameter(
        0, any_seed(), "seed of first weights, split and pairs; a run's other seeds share the trained mapper", "seed"
    )
    relevance_images: int = parameter(16, whole(), "images that R_s is averaged over")
    relevance_statistics: int = parameter(10_000, whole(), "samples behind the channels' mean and standard deviation")
    output: str = parameter("S", one_of(OUTPUTS), "S (the paper), or W+, where R_s knows no channels and masks none")
    beta1: float = parameter(0.9, number(0, 1), "decay of Adam's mean gradient", "beta1")
    beta2: float = parameter(0.999, number(0, 1), "decay of Adam's mean squared gradient", "beta2")
    validation_share: float = parameter(0.02, number(0, 1), "share of the images that is held out", "validation_share")
    validation_pairs: int = parameter(2048, whole(), "pairs of the held-out images", "validation_pairs")
    evaluate_every: int = parameter(1000, whole(), "steps between validations and stored states", "evaluate_every")

    def training_key(self) -> dict[str, object]:
        """What determines the trained mapper; an ``output`` in S goes without saying, as before there was another."""
        return keyed(self) if self.output == "S" else {**keyed(self), "output": self.output}
