"""The bundled photos: readable, credited, described, and what they claim to be."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from fer_core import images, samples
from fer_core.errors import FerError

EVERY = (*samples.list_samples(), samples.get(samples.BENCHMARK_ID))
ENTRIES = {
    entry["id"]: entry for entry in json.loads((samples.FOLDER / "credits.json").read_text(encoding="utf-8"))["samples"]
}


@pytest.mark.parametrize("sample", EVERY, ids=lambda sample: sample.id)
class TestEverySample:
    def test_decodes_to_a_small_photo(self, sample):
        picture = images.decode(samples.load(sample.id))
        assert picture.shape[2] == 3
        assert min(picture.shape[:2]) >= 100
        assert max(picture.shape[:2]) <= 1280
        assert picture.std() > 20, "a photo, not one colour"

    def test_is_described_and_credited(self, sample):
        for text in (sample.alt, sample.credit, sample.note):
            assert len(text) > 20
            assert text.endswith(".")
        assert sample.title
        assert "public domain" in sample.credit

    def test_states_author_source_changes_and_legal_ground(self, sample):
        entry = ENTRIES[sample.id]
        assert entry["author"]
        assert entry["changes"].endswith(".")
        assert entry["license"].startswith("Public domain")
        source = entry["source"]
        # from a package of a known version, or made of other samples that are
        assert ("package" in source and "file" in source) or set(source["samples"]) <= ENTRIES.keys()

    def test_stands_in_the_credits_for_readers(self, sample):
        assert f"`{sample.path.name}`" in (samples.FOLDER / "CREDITS.md").read_text(encoding="utf-8")


def test_every_picture_in_the_folder_is_listed():
    assert {sample.path.name for sample in EVERY} == {path.name for path in samples.FOLDER.glob("*.jpg")}


def test_the_samples_stay_small():
    assert sum(path.stat().st_size for path in samples.FOLDER.iterdir()) < 1_500_000


def test_ids_are_unique_and_fit_for_a_url():
    ids = [sample.id for sample in EVERY]
    assert len(set(ids)) == len(ids)
    assert all(set(sample_id) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for sample_id in ids)


def test_the_benchmark_photo_is_hd_and_not_offered_to_visitors():
    assert images.decode(samples.load(samples.BENCHMARK_ID)).shape == (720, 1280, 3)
    assert samples.BENCHMARK_ID not in [sample.id for sample in samples.list_samples()]


def test_an_unknown_sample_is_refused_with_the_known_ones():
    with pytest.raises(FerError, match=r"no sample photo 'lena'.*astronaut"):
        samples.load("lena")


def test_the_sideways_photo_lies_on_its_side_and_does_not_say_so():
    data = samples.load("sideways")
    assert not dict(Image.open(io.BytesIO(data)).getexif())
    turned_back = np.rot90(images.decode(data), -1).astype(int)
    upright = images.decode(samples.load("grace-hopper")).astype(int)
    assert turned_back.shape == upright.shape
    assert np.abs(turned_back - upright).mean() < 5


@pytest.mark.parametrize("sample_id", sorted(samples.compose()))
def test_a_composed_photo_is_what_the_module_composes(sample_id):
    committed = images.decode(samples.load(sample_id)).astype(int)
    composed = samples.compose()[sample_id].astype(int)
    assert committed.shape == composed.shape
    assert np.abs(committed - composed).mean() < 4  # what JPEG loses
