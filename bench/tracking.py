"""Measure identities by TrackEval: python -m bench.tracking [--films]

People of known truth walk, cross, are hidden and leave, and the video is cut into segments of
several lengths. Those behind another person, whose boxes coincide, are not detected, as by a real
detector. ``--films`` adds rendered athletes side by side, analyzed by the whole pipeline. The
shared videos have no labels of identity: nothing is measured on them.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np

from bench.harness import CONSOLE, in_words, job_of, machine, save, stages_of, table
from deployments.concurrency import run_async
from deployments.messages import F64, ClipPoses
from deployments.tracking.tracks import merge
from serve_app.pipeline import run
from tests.support.simulated_people import Walker, cut, iou, media, observe, present, straight
from tools.athlete.clip import Take, film
from tools.athlete.trained_network import SETTINGS

FRAMES, STRIDE = 301, 4
Y = 540.0
MISSED = (0.0, 0.08)
"""Shares of detections that the simulated detector misses by chance."""
HIDDEN = 0.5
"""Overlap (IoU) with somebody in front from which a person does not count as visible."""
SEEDS = 20
"""Draws of the error of boxes and of what is missed."""
SCENES: Mapping[str, Sequence[Walker]] = {
    "crossing": [
        Walker(straight(500, Y, 100)),
        Walker(straight(1450, Y + 15, -95), 290, facing=-1),
    ],
    "three cross": [
        Walker(straight(400, Y, 120)),
        Walker(straight(1500, Y + 15, -110), 310, facing=-1),
        Walker(straight(950, Y + 30, 5), 280, strides_per_s=0.3),
    ],
    "hidden for seconds": [
        Walker(straight(960, Y, 0), 420, strides_per_s=0.3),
        Walker(straight(600, Y, 60), 260),
    ],
    "crowd of eight": [
        Walker(
            straight(150 + 230 * i, Y + 40 * (i % 3), (-1) ** i * (40 + 12 * i)),
            240 + 25 * (i % 4),
            strides_per_s=0.8 + 0.05 * i,
            facing=(-1) ** i,
        )
        for i in range(8)
    ],
}
PIECES = (None, 120, 28)
"""Frames of a segment; None for one segment."""


Truth = Sequence[Mapping[int, F64]]
"""Boxes (4,) of the people who are visible, by frame and then by person."""


@dataclass(frozen=True, slots=True)
class Scores:
    """HOTA with its parts, IDF1, and switches at an IoU of 0.5.

    Attributes:
        hota, association, detection: HOTA, AssA and DetA (Luiten et al. 2021), means over
            thresholds of IoU; inexact boxes lower each. idf1: Ristani et al. 2016.
    """

    hota: float
    association: float
    detection: float
    idf1: float
    switches: int


def truth_of(walkers: Sequence[Walker], times_s: F64, width: int) -> Truth:
    """Return the visible people; ``walkers`` has the one in front first."""
    frames = []
    for time_s in times_s:
        boxes = {i: walkers[i].box(time_s) for i in present(walkers, time_s)}
        frames.append(
            {
                i: box
                for i, box in boxes.items()
                if 0 < (box[0] + box[2]) / 2 < width
                and all(iou(box, boxes[j]) < HIDDEN for j in boxes if j < i)
            }
        )
    return frames


def scores_of(truth: Truth, clip: ClipPoses) -> Scores:
    """Compare the people of a clip with the truth.

    Tracks that overlap no visible person are left out: they follow people who are hidden, and thus
    not in the truth.
    """
    from trackeval.metrics import CLEAR, HOTA, Identity

    people: list[Any] = []
    tracks: list[Any] = []
    similar: list[Any] = []
    for frame, boxes in enumerate(truth):
        rows = [(p, row) for p, row in enumerate(clip.row[frame]) if row >= 0]
        table_of = np.array(
            [[iou(box, clip.box[row]) for _, row in rows] for box in boxes.values()]
        )
        table_of = table_of.reshape(len(boxes), len(rows))
        near = table_of.max(axis=0, initial=0.0) > 0
        people.append(np.array(list(boxes), int))
        tracks.append(np.array([p for p, _ in rows], int)[near])
        similar.append(table_of[:, near])
    data = {
        "num_timesteps": len(truth),
        "gt_ids": people,
        "tracker_ids": tracks,
        "similarity_scores": similar,
        "num_gt_ids": 1 + max(int(ids.max(initial=-1)) for ids in people),
        "num_tracker_ids": len(clip.track_id),
        "num_gt_dets": sum(map(len, people)),
        "num_tracker_dets": sum(map(len, tracks)),
    }
    quiet = {"PRINT_CONFIG": False}
    found = HOTA().eval_sequence(data)
    hota, association, detection = (float(found[n].mean()) for n in ("HOTA", "AssA", "DetA"))
    idf1 = float(Identity(quiet).eval_sequence(data)["IDF1"])
    switches = int(CLEAR(quiet).eval_sequence(data)["IDSW"])
    return Scores(hota, association, detection, idf1, switches)


def simulated(walkers: Sequence[Walker], every: int | None, share: float, seed: int = 0) -> Scores:
    """Score a scene whose video is cut before every ``every``-th frame; None for no cut.

    Args:
        share: of the detections that are missed by chance.
    """
    info = media(FRAMES)
    missed = np.random.default_rng(seed).uniform(size=(FRAMES, len(walkers))) < share
    whole = observe(walkers, info, STRIDE, missed=lambda frame, who: missed[frame, who], seed=seed)
    parts = [whole] if every is None else cut(whole, range(every, FRAMES, every), seed)
    return scores_of(truth_of(walkers, info.times_s, info.width), merge(parts, info))


def filmed(folder: Path, segment_s: float) -> Scores:
    """Score rendered athletes side by side, found by the detector and network of the tests."""
    takes = [
        Take("squat", view=20, seconds=4, size=(480, 540), seed=900_101),
        Take("arm_raise", view=0, seconds=4, size=(480, 540), seed=900_102),
        Take("lunge", view=50, seconds=4, size=(480, 540), seed=900_103),
    ]
    path = folder / "crowd.mp4"
    truths = _side_by_side(takes, path, folder)
    boxes = [
        {i: truth.boxes[f] + np.array([480 * i, 0, 480 * i, 0]) for i, truth in enumerate(truths)}
        for f in range(len(truths[0].times_s))
    ]
    stages, options = stages_of(folder, **SETTINGS)
    job = replace(job_of(path, folder, options), segment_s=segment_s, max_people_in_frames=None)
    return scores_of(boxes, run_async(run(job, stages)).clip)


def _side_by_side(takes: Sequence[Take], path: Path, folder: Path) -> list[Any]:
    truths, pictures = [], []
    for i, take in enumerate(takes):
        part = folder / f"{i}.mp4"
        truths.append(film(take, part))
        with av.open(str(part)) as file:
            pictures.append([f.to_ndarray(format="rgb24") for f in file.decode(video=0)])
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream("libx264", rate=30, options={"crf": "18"})
        stream.width, stream.height = sum(t.size[0] for t in takes), takes[0].size[1]
        for panels in zip(*pictures, strict=True):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.hstack(panels), format="rgb24")))
        file.mux(stream.encode(None))
    return truths


def drawn(walkers: Sequence[Walker], share: float, seeds: int) -> dict[str, Any]:
    """Score a scene with several seeds, and count those whose scores the segments change."""
    found = [simulated(walkers, None, share, seed) for seed in range(seeds)]
    cut_shorter = [
        [simulated(walkers, every, share, seed) for every in PIECES if every is not None]
        for seed in range(seeds)
    ]
    pairs = zip(found, cut_shorter, strict=True)
    hota, idf1 = [s.hota for s in found], [s.idf1 for s in found]
    switches = [s.switches for s in found]
    return {
        "hota": [min(hota), float(np.median(hota)), max(hota)],
        "idf1": [min(idf1), float(np.median(idf1)), max(idf1)],
        "seeds": seeds,
        "seeds_with_switches": sum(map(bool, switches)),
        "most_switches": max(switches),
        "changed_by_segments": sum(any(c != whole for c in cuts) for whole, cuts in pairs),
    }


def main() -> None:
    """Print and keep a row for each scene."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", action="store_true", help="add rendered athletes (a minute)")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="draws of each scene")
    given = parser.parse_args()
    facts = machine()
    rows = {
        f"{scene}, {share:.0%} missed": drawn(walkers, share, given.seeds)
        for share in MISSED
        for scene, walkers in SCENES.items()
    }
    films = {}
    if given.films:
        for segment_s in (1.0, 4.0):
            with tempfile.TemporaryDirectory() as folder:
                films[f"segments of {segment_s:g} s"] = asdict(filmed(Path(folder), segment_s))
    CONSOLE.print(in_words(facts))
    three = "{:.3f} / {:.3f} / {:.3f}".format
    table(
        "Identities of simulated people: least / median / most over the seeds",
        ("scene", "HOTA", "IDF1", "seeds with switches", "most switches", "changed by segments"),
        [
            (
                *(scene, three(*row["hota"]), three(*row["idf1"])),
                *(f"{row['seeds_with_switches']} of {row['seeds']}", row["most_switches"]),
                row["changed_by_segments"],
            )
            for scene, row in rows.items()
        ],
    )
    for pieces, scores in films.items():
        CONSOLE.print(f"rendered athletes, {pieces}: {scores}")
    save("tracking", {"machine": facts, "simulated": rows, "rendered": films})


if __name__ == "__main__":
    main()
