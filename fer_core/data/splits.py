"""The one definition of which image belongs to which split.

Validation is cut from ``Training`` only. Pictures with identical pixels stay on one side, and the choice depends on the
pixels alone: it is the same whether FER2013 was read from the folder, the zip or the csv, in any order.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from fer_core.data.fer2013 import Fer2013, pixel_hashes
from fer_core.labels import N_CLASSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

VALIDATION_SHARE = 0.10
_SALT = "fer2013 validation 1"


def assign(dataset: Fer2013) -> NDArray[np.str_]:
    """Return the split of each image, ``(N,)`` str: ``train``, ``val``, ``public`` or ``private``.

    A group of identical pictures counts for its most frequent label. Within each label the groups are ordered by a
    salted hash of their pixels and taken for validation until ten per cent of the label's images are reached.
    """
    splits = np.empty(len(dataset), dtype="U7")
    splits[dataset.usage == "PublicTest"] = "public"
    splits[dataset.usage == "PrivateTest"] = "private"
    training = np.flatnonzero(dataset.usage == "Training")
    splits[training] = "train"

    groups: dict[str, list[int]] = {}
    for index, digest in zip(training, pixel_hashes(dataset.images[training]), strict=True):
        groups.setdefault(str(digest), []).append(int(index))
    by_label: dict[int, list[str]] = {label: [] for label in range(N_CLASSES)}
    for digest, members in groups.items():
        votes = Counter(int(dataset.labels[i]) for i in members)
        by_label[min(votes, key=lambda label: (-votes[label], label))].append(digest)
    for digests in by_label.values():
        digests.sort(key=lambda digest: hashlib.sha256(f"{_SALT} {digest}".encode()).hexdigest())
        wanted = round(VALIDATION_SHARE * sum(len(groups[digest]) for digest in digests))
        taken = 0
        for digest in digests:
            if taken >= wanted:
                break
            splits[groups[digest]] = "val"
            taken += len(groups[digest])
    return splits


def leaked_names(dataset: Fer2013) -> set[str]:
    """Return the names of the test images whose exact pixels also stand in ``Training``."""
    hashes = pixel_hashes(dataset.images)
    in_training = set(hashes[dataset.usage == "Training"].tolist())
    test = np.flatnonzero(dataset.usage != "Training")
    return {str(dataset.names[i]) for i in test if str(hashes[i]) in in_training}
