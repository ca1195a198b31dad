"""Pictures of the athlete as COCO data sets on disk, rendered ahead, shard by shard."""

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from biomech.skeleton import KEYPOINTS, LIMBS
from tools.athlete.sample import Sample, portrait

SHARD = 500
_LEAST_PX = 8  # of a box's sides
HELD_OUT = 10_000_000
"""Seeds from here on are never trained on."""

CATEGORY = {
    "id": 1,
    "name": "person",
    "supercategory": "person",
    "keypoints": list(KEYPOINTS),
    "skeleton": [[a + 1, b + 1] for a, b in LIMBS],
}


def render(count: int, folder: Path, *, first: int = 0, workers: int = 2) -> Path:
    """A COCO data set of ``count`` pictures; those that are there already are kept.

    Args:
        folder: gets ``images/`` and ``annotations.json``.
        first: seed of the first picture.

    Returns:
        The annotation file.
    """
    (folder / "images").mkdir(parents=True, exist_ok=True)
    shards = [
        (first + at, min(SHARD, count - at), folder / f"shard-{first + at:08d}.json")
        for at in range(0, count, SHARD)
    ]
    missing = [shard for shard in shards if not shard[2].exists()]
    # Not forked: threads of the process that calls may hold locks.
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        work = partial(_render_shard, folder)
        for i, _ in enumerate(pool.map(work, missing), 1):
            print(f"{i} of {len(missing)} shards rendered", flush=True)
    document = {"images": [], "annotations": [], "categories": [CATEGORY]}
    for _, _, path in shards:
        part = json.loads(path.read_text())
        for key in ("images", "annotations"):
            document[key] += part[key]
    target = folder / "annotations.json"
    target.write_text(json.dumps(document))
    return target


def _render_shard(folder: Path, shard: tuple[int, int, Path]) -> None:
    cv2.setNumThreads(1)
    first, count, path = shard
    part: dict[str, list[dict[str, Any]]] = {"images": [], "annotations": []}
    for seed in range(first, first + count):
        sample = portrait(seed)
        name = f"{seed:08d}.jpg"
        quality = int(np.random.default_rng([seed, 3]).integers(45, 97))
        cv2.imwrite(
            str(folder / "images" / name),
            sample.picture[..., ::-1],
            [cv2.IMWRITE_JPEG_QUALITY, quality],
        )
        height, width = sample.picture.shape[:2]
        part["images"].append({"id": seed, "file_name": name, "width": width, "height": height})
        part["annotations"] += list(_annotations(seed, sample))
    partial_path = path.with_suffix(".part")
    partial_path.write_text(json.dumps(part))
    partial_path.replace(path)


def _annotations(seed: int, sample: Sample) -> Iterator[dict[str, Any]]:
    height, width = sample.picture.shape[:2]
    for i, (points, box) in enumerate(zip(sample.keypoints, sample.boxes, strict=True)):
        extent = box[2:] - box[:2]
        if extent.min() < _LEAST_PX:
            continue
        inside = ((points >= 0) & (points <= (width - 1, height - 1))).all(1)
        flat = np.column_stack([points.round(2), 2 * inside]).ravel().tolist()
        yield {
            "id": seed * 10 + i,
            "image_id": seed,
            "category_id": 1,
            "iscrowd": 0,
            "bbox": [*box[:2].round(2).tolist(), *extent.round(2).tolist()],
            "area": float(extent.prod()),
            "num_keypoints": int(inside.sum()),
            "keypoints": flat,
        }
