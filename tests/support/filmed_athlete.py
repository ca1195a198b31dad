"""The athlete of ``tools.athlete`` as keypoints with noise, and what truly happened when."""

import json

import numpy as np
from jsonschema import Draft202012Validator

from biomech.config import NO_CONTEXT, BiomechanicsConfig, Subject
from biomech.kinematics.curves import curves_of
from biomech.kinematics.person_metrics import person_metrics
from biomech.skeleton import INDEX
from deployments.biomechanics.clip_analysis import analyze
from serve_app.results.response_schema import PoseData
from tests.support.clips import dense_clip
from tests.support.plain import plain
from tests.support.stick_figure import seen
from tools.athlete.body import Shape, stand
from tools.athlete.camera import PinholeCamera
from tools.athlete.motion import MOVEMENTS, Style

_ANSWER = PoseData.model_json_schema()
schema = Draft202012Validator(_ANSWER["$defs"]["PersonSummary"] | {"$defs": _ANSWER["$defs"]})
SIZE = (1280, 720)
HEIGHT_PX = 420.0
HEADING = {"from the left": 90.0, "from the right": -90.0, "from the front": 0.0}


def exact(movement, times_s, *, view="from the left", style=None, treadmill=False):
    """The movement and its exact points: (f, 17, 2) pixels, and (f, 17, 3) statures."""
    style = style or Style()
    made = MOVEMENTS[movement](np.asarray(times_s, float), style)
    at = None if treadmill else made.at
    body = stand(made.angles, Shape(), at=at, lift=made.lift)
    camera = PinholeCamera(
        size=SIZE,
        azimuth=style.heading + HEADING[view],
        distance=6.0,
        target=(0.0, 0.0, 0.52),
        height_px=HEIGHT_PX,
        elevation=2.0,
    )
    return made, camera.project(body.keypoints)[0], body.keypoints


def filmed(
    movement,
    *,
    view="from the left",
    seconds=8.0,
    fps=30.0,
    noise_px=2.0,
    seed=0,
    style=None,
    times_s=None,
    treadmill=False,
):
    """The movement, a track of its points with noise, and the exact points."""
    times = np.arange(round(seconds * fps) + 1) / fps if times_s is None else np.asarray(times_s)
    made, xy, _ = exact(movement, times, view=view, style=style, treadmill=treadmill)
    random = np.random.default_rng([seed, 11])
    noisy = xy + random.normal(0, noise_px, xy.shape)
    return made, seen(noisy, times_s=times, sigma=max(noise_px, 0.1), size=SIZE), xy


def metrics_and_curves(track, *, height_m=None, **config):
    """Metrics of the track and its curves."""
    setting = BiomechanicsConfig(**config)
    metrics = person_metrics(track, setting, Subject(height_m=height_m))
    return metrics, curves_of(metrics, setting)


def ankle_ahead(xyz, side):
    """(f,) how far before mid-hip an ankle is, for someone walking along +x, statures."""
    hips = (xyz[:, INDEX["left_hip"], 0] + xyz[:, INDEX["right_hip"], 0]) / 2
    return xyz[:, INDEX[f"{side}_ankle"], 0] - hips


def clip_of(track):
    """The clip of one person, as the stage gets it."""
    one = {
        name: np.asarray(getattr(track, name), np.float32)[:, None]
        for name in ("box", "xy", "score", "sigma")
    }
    frames = len(track.times_s)
    blur = {} if track.blur is None else {"blur": np.asarray(track.blur, np.float32)[:, None]}
    return dense_clip(
        times_s=track.times_s,
        width=track.size[0],
        height=track.size[1],
        track_id=np.array([1], np.int32),
        box=one["box"],
        box_score=np.full((frames, 1), 0.9, np.float32),
        keypoints=one["xy"],
        score=one["score"],
        raw_score=one["score"],
        sigma=one["sigma"],
        model=np.where(track.present, 0, -1).astype(np.int32)[:, None],
        models=("Simulated",),
        decoded=np.ones(frames, bool),
        **blur,
    )


def summarised(track, context=NO_CONTEXT, **options):
    """The summary of one person, by the whole stage, held against its schema."""
    (told,) = plain(
        analyze(clip_of(track), 0.3, context=context, max_people_in_frames=0, **options).summary
    )
    schema.validate(told)
    return json.loads(json.dumps(told, allow_nan=False))
