"""Random changes of training faces, on uint8 with OpenCV: one warp an image, straight to the network's input size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from fer_core.training.recipe import Augmentation

if TYPE_CHECKING:
    from numpy.typing import NDArray


def augment(faces: NDArray[np.uint8], size: int, spec: Augmentation, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Change and resize a batch of faces.

    Parameters
    ----------
    faces
        ``(N, H, W)`` uint8, grey.
    size
        Side of the result in pixels. With nothing to change the result is the linear resize that serving does.
    spec
        What may change and by how much.
    rng
        Source of all randomness: the same state gives the same batch.

    Returns
    -------
    ``(N, size, size)`` uint8.
    """
    count, height, width = len(faces), faces.shape[1], faces.shape[2]
    out = np.empty((count, size, size), np.uint8)
    angle: NDArray[np.float64] = np.deg2rad(rng.uniform(-spec.rotation, spec.rotation, count))
    scale = rng.uniform(spec.scale[0], spec.scale[1], count)
    shift = rng.uniform(-spec.shift, spec.shift, (count, 2)) * size
    shear = rng.uniform(-spec.shear, spec.shear, count)
    flip_x = np.where(rng.random(count) < spec.mirror, -1.0, 1.0)
    flip_y = np.where(rng.random(count) < spec.vertical_flip, -1.0, 1.0)
    contrast = 1 + rng.uniform(-spec.contrast, spec.contrast, count)
    brightness = rng.uniform(-spec.brightness, spec.brightness, count)
    patched = rng.random(count) < spec.patch_probability
    side = (rng.uniform(spec.patch[0], spec.patch[1], (count, 2)) * size).astype(int)
    corner = (rng.random((count, 2)) * (size - side)).astype(int)
    grey = rng.integers(0, 256, count)
    changes_tone = spec.contrast > 0 or spec.brightness > 0

    middle_in = np.array([(width - 1) / 2, (height - 1) / 2])
    middle_out = np.array([(size - 1) / 2, (size - 1) / 2])
    for i in range(count):
        cos, sin = np.cos(angle[i]), np.sin(angle[i])
        linear = np.array([[cos, -sin], [sin, cos]]) @ np.array([[1.0, shear[i]], [0.0, 1.0]])
        linear = linear @ np.diag([flip_x[i], flip_y[i]]) * scale[i] @ np.diag([size / width, size / height])
        offset = middle_out + shift[i] - linear @ middle_in
        matrix = np.column_stack([linear, offset])
        image = cv2.warpAffine(faces[i], matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if changes_tone:
            mean = float(image.mean())
            image = cv2.convertScaleAbs(
                np.clip(image * contrast[i] + (mean * (1 - contrast[i]) + brightness[i]), 0, 255)
            )
        if patched[i]:
            top, left = corner[i]
            image[top : top + side[i, 0], left : left + side[i, 1]] = grey[i]
        out[i] = image
    return out
