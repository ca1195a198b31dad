"""Where checkpoints are looked for, and whether they are what they should be."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from deployments.errors import WeightsCorruptError, WeightsMissingError
from deployments.file_digest import sha256_of
from deployments.pose.registry import load_model_config
from deployments.pose.weights import default_search, find_weights, verify

CONFIG = load_model_config(Path(__file__).parents[3] / "config" / "model_config.json")
ENTRY = CONFIG.entry("rtmpose_medium")
NAME = Path(ENTRY.checkpoint).name
CONTENT = b"weights"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CONTENT)
    return path


def test_searches_the_given_folder_then_the_checkout_then_the_shared_ones(tmp_path):
    root = tmp_path / "repository"
    folders = default_search(root, tmp_path / "mine")
    assert folders == (
        tmp_path / "mine",
        root / "weights",
        root / "shared" / "weights",
        tmp_path / "shared" / "weights",
    )
    assert default_search(root, None) == folders[1:]


def test_takes_the_first_place_that_has_it(tmp_path):
    configured = tmp_path / "app" / "weights" / "mmpose" / NAME
    entry = replace(ENTRY, checkpoint=str(configured))
    search = [tmp_path / "mine", tmp_path / "repository" / "weights", tmp_path / "shared"]
    places = [configured]
    for folder in search:
        places += [folder / NAME, folder / "mmpose" / NAME]
    for place in reversed(places):  # each hides those after it
        put(place)
        assert find_weights(entry, search) == place


def test_a_relative_path_is_below_a_folder(tmp_path):
    entry = replace(ENTRY, checkpoint=f"season/{NAME}")
    put(tmp_path / NAME)
    assert find_weights(entry, [tmp_path]) == tmp_path / NAME
    put(tmp_path / "season" / NAME)
    assert find_weights(entry, [tmp_path]) == tmp_path / "season" / NAME


def test_a_folder_of_that_name_is_no_file(tmp_path):
    (tmp_path / NAME).mkdir()
    with pytest.raises(WeightsMissingError):
        find_weights(ENTRY, [tmp_path])


def test_a_missing_file_is_named_with_the_places_and_the_command(tmp_path):
    search = [tmp_path / "one", tmp_path / "two"]
    with pytest.raises(WeightsMissingError) as caught:
        find_weights(ENTRY, search)
    for part in ("/app/weights/mmpose", *map(str, search), str(search[0] / "mmpose")):
        assert part in str(caught.value)
        assert part not in caught.value.detail
    assert NAME in caught.value.detail
    assert "mmpose-service models download rtmpose_medium" in caught.value.hint
    assert caught.value.facts["file"] == NAME


def test_an_unpublished_file_has_no_command(tmp_path):
    with pytest.raises(WeightsMissingError) as caught:
        find_weights(CONFIG.entry("movenet_lightning"), [tmp_path])
    assert "download" not in caught.value.hint
    assert "movenet-lightning_rtmpose-io_256x192.onnx" in caught.value.hint


def test_the_folded_copy_is_not_taken_for_the_published_detector(tmp_path):
    search = [tmp_path]
    folded = CONFIG.entry("rtmdet_nano_folded")
    put(tmp_path / folded.checkpoint)
    with pytest.raises(WeightsMissingError):
        find_weights(CONFIG.entry("rtmdet_nano"), search)
    path = find_weights(folded, search)
    verify(replace(folded, sha256=DIGEST), path)
    with pytest.raises(WeightsCorruptError):
        verify(CONFIG.entry("rtmdet_nano"), path)


@pytest.mark.parametrize("key", ["movenet_multipose", "movenet_multipose_detector"])
def test_the_default_network_is_the_file_of_the_registry(movenet, key):
    entry = CONFIG.entry(key)
    assert verify(entry, find_weights(entry, [movenet.parent])) == entry.sha256


@pytest.mark.parametrize("key", ["movenet_lightning", "rtmdet_nano_onnx", "rtmdet_nano_folded"])
def test_stand_ins_are_the_files_of_the_registry(published, key):
    entry = CONFIG.entry(key)
    assert verify(entry, find_weights(entry, [published])) == entry.sha256


@pytest.mark.parametrize("known", [DIGEST, DIGEST[:8], None])
def test_the_right_digest_passes_whole_by_prefix_or_unknown(tmp_path, known):
    path = put(tmp_path / NAME)
    assert verify(replace(ENTRY, sha256=known), path) == DIGEST == sha256_of(path)


@pytest.mark.parametrize("known", ["0" * 64, "0" * 8, DIGEST[:-1] + "x"])
def test_the_wrong_digest_is_named_with_the_one_found(tmp_path, known):
    path = put(tmp_path / NAME)
    with pytest.raises(WeightsCorruptError) as caught:
        verify(replace(ENTRY, sha256=known), path)
    assert known in caught.value.detail
    assert DIGEST in caught.value.detail
    assert path.name in caught.value.detail
    assert str(path.parent) not in caught.value.detail
    assert str(path) in str(caught.value)
    assert "mmpose-service models download rtmpose_medium" in caught.value.hint
    assert "models.rtmpose_medium.sha256" in caught.value.hint


def test_a_file_bigger_than_a_read_is_hashed_whole(tmp_path):
    path = tmp_path / NAME
    content = bytes(range(256)) * 20_000
    path.write_bytes(content)
    assert sha256_of(path) == hashlib.sha256(content).hexdigest()
