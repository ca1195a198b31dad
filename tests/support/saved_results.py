"""Responses of people whose points are known, as saved documents."""

import json

import numpy as np

from biomech.config import NO_CONTEXT, Context, Subject
from deployments.biomechanics.clip_analysis import analyze
from deployments.messages import MediaInfo, ModelStatus
from serve_app.pipeline import Outcome
from serve_app.results.response_schema import PoseOptions
from serve_app.results.response_writer import Answer
from tests.support.clips import dense_clip
from tests.support.stick_figure import from_the_side

MODEL = "RTMPose-Medium"
SIZE = (640, 640)
RATE = 30.0
SIGMA = 2.0


def squatting(frames=90):
    """(f, 17, 2) pixels from the side, facing image right; a squat takes 45 frames.

    ``frames`` is their number, or the instants themselves, counted in frames.
    """
    at = np.arange(frames) if np.isscalar(frames) else frames
    depth = 0.5 - 0.5 * np.cos(2 * np.pi * at / 45)
    return from_the_side(
        lean=20 * depth,
        hip=80 * depth,
        knee=10 + 90 * depth,
        shoulder=(30 + 20 * depth, 35 + 25 * depth),
        elbow=(20 + 0 * depth, 15 + 0 * depth),
    )


def height_of(metres):
    """What says that the athlete is so tall."""
    return Context(subject=Subject(height_m=metres))


def saved(
    *people, times_s=None, context=NO_CONTEXT, score=0.9, sigma=SIGMA, calibrated=False, **options
):
    """The response document of people (f, 17, 2), the primary first, NaN where not seen."""
    xy = np.stack(people, axis=1).astype(np.float32)
    frames, count = xy.shape[:2]
    times = np.arange(frames) / RATE if times_s is None else np.asarray(times_s, float)
    present = np.isfinite(xy).any((2, 3))
    there = np.isfinite(xy[..., 0])
    box = np.full((frames, count, 4), np.nan, np.float32)
    for f, p in np.argwhere(present):
        box[f, p] = [*np.nanmin(xy[f, p], 0), *np.nanmax(xy[f, p], 0)]
    scores = np.where(there, score, 0.0).astype(np.float32)
    clip = dense_clip(
        times_s=times,
        width=SIZE[0],
        height=SIZE[1],
        track_id=np.arange(1, count + 1, dtype=np.int32),
        box=box,
        box_score=np.where(present, 0.9, np.nan).astype(np.float32),
        keypoints=xy,
        score=scores,
        raw_score=scores,
        sigma=np.where(there[..., None], np.broadcast_to(sigma, xy.shape), np.nan).astype("f4"),
        model=np.where(present, 0, -1).astype(np.int32),
        models=(MODEL,),
        decoded=np.ones(frames, bool),
    )
    pts = np.arange(frames)
    media = MediaInfo("v.mp4", "mov", "h264", "yuv420p", *SIZE, 0, (1, 30), pts, pts[:1])
    outcome = Outcome(media, clip, analyze(clip, 0.3, context=context), None, 1, {"total": 1.0}, ())
    models = {MODEL: ModelStatus(role="rtmpose", loaded=True, name=MODEL, calibrated=calibrated)}
    people_asked = "all" if count > 1 else "primary"
    asked = PoseOptions(people=people_asked, **options)
    return Answer(outcome, asked, 0.3, models, "run-7").body()


def edited(body, change):
    """The document after ``change`` of it."""
    document = json.loads(body)
    change(document)
    return json.dumps(document).encode()
