"""Implement `mmpose-service tune`: measure and write the fastest settings for this machine."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from math import isnan
from pathlib import Path
from typing import Any

import click
import numpy as np
import yaml

from deployments.decode.probe import probe
from deployments.decode.segments import split
from deployments.errors import BadParameterError
from deployments.messages import U8
from deployments.process_setup import usable_cpus
from serve_app.cli.json_output import json_option, print_json
from serve_app.cli.progress_bar import STDERR
from serve_app.model_plan import plan_models
from serve_app.offline.crop_sampling import crops_of
from serve_app.offline.tuning import (
    STRIDES,
    PoseRate,
    StrideCost,
    cheapest,
    fastest,
    load_detector,
    load_pose,
    pose_rates,
    stride_costs,
)
from serve_app.setting_types import environment_name
from serve_app.settings import load_settings

_CROPS = 32
_SEGMENT_S = 2.0
_FOR_POSE = 0.6  # of the time; the rest goes to the strides, as long as it takes


@click.command()
@click.argument("video", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("tuned.yaml"),
    show_default=True,
    help="File for the fragment of a serve config.",
)
@click.option(
    "--into",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Serve config to merge the fragment into; --out then gets the whole config.",
)
@click.option("--seconds", type=click.FloatRange(min=0), default=60.0, show_default=True)
@click.option(
    "--shift-px",
    type=click.FloatRange(min=0),
    default=0.5,
    show_default=True,
    help="Largest median shift of the keypoints for a faster precision, in crop pixels.",
)
@click.option(
    "--iou",
    type=click.FloatRange(0, 1),
    default=0.9,
    show_default=True,
    help="Smallest overlap (IoU) of boxes with those of detection in every frame.",
)
@json_option
def tune(
    video: Path | None,
    out: Path,
    into: Path | None,
    seconds: float,
    shift_px: float,
    iou: float,
    as_json: bool,
) -> None:
    """Measure this machine for about a minute and write the fastest settings.

    Give a typical VIDEO. Without one, speed is measured on noise, and precision and stride stay
    unchanged because their error cannot be measured.
    """
    base = None if into is None else yaml.safe_load(into.read_text("utf-8"))
    if base is not None:
        _named(base.get("applications", []), "pose")  # before a minute is spent
    settings = load_settings()
    plan = plan_models(settings)
    strides: list[StrideCost] = []
    status = load_pose(plan, plan.options).status
    if video is None:
        crops = _noise(status.input_size)
    else:
        if not video.is_file():
            raise BadParameterError(f"there is no file {video}", hint="Check the path of VIDEO.")
        segment = split(probe(str(video), settings.media_limits), 1, _SEGMENT_S)[0]
        crops = crops_of(load_detector(plan), status.input_size, segment, _CROPS)
        if not len(crops):
            raise BadParameterError(
                f"{video}: nobody is seen at its beginning",
                hint="Give a VIDEO with people in its first seconds.",
                field="video",
            )
        STDERR.print("measuring how often people must be detected ...")
        strides = stride_costs(plan, segment, STRIDES)
    STDERR.print("measuring the pose model ...")
    rates = pose_rates(plan, crops, seconds * _FOR_POSE if strides else seconds)
    chosen = fastest(rates, shift_px if strides else -1.0)
    stride = cheapest(strides, iou) if strides else None
    found = fragment(chosen, stride)
    document = found if base is None else merged(base, found)
    evidence = _evidence(status.name, rates, strides, chosen, stride)
    text = yaml.safe_dump(document, sort_keys=False, default_flow_style=False)
    out.write_text("".join(f"# {line}".rstrip() + "\n" for line in evidence) + text, "utf-8")
    if as_json:
        print_json(
            {
                "path": out,
                "environment": environment(found),
                "rates": [_measured(rate) | {"chosen": rate is chosen} for rate in rates],
                "strides": [_measured(cost) | {"chosen": cost is stride} for cost in strides],
            }
        )
    else:
        click.echo("\n".join(evidence))
        click.echo("\n" + "\n".join(f"{k}={v}" for k, v in environment(found).items()))
    STDERR.print(f"written: {out}")


def fragment(chosen: PoseRate, stride: StrideCost | None) -> dict[str, list[dict[str, Any]]]:
    """Return the tuned part of a serve config."""
    arguments: dict[str, Any] = {
        "engine": chosen.engine,
        "mixed_precision": chosen.mixed,
        "threads": chosen.threads,
        "batch_size": chosen.batch,
    }
    if chosen.quantized is not None:
        arguments["quantized"] = str(chosen.quantized)
    if stride is not None:
        arguments["detector_stride"] = stride.stride
        if stride.finest is not None:
            arguments["finest_stride"] = stride.finest
    model = {
        "name": "RTMPose",
        "num_replicas": chosen.replicas,
        "user_config": {"max_batch_size": chosen.batch},
    }
    return {"applications": [{"name": "pose", "args": arguments, "deployments": [model]}]}


def merged(document: dict[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """Merge the fragment into a serve config; with autoscaling it sets ``min_replicas``.

    Raises:
        BadParameterError: the config has no application or deployment of these names.
    """
    for application in part["applications"]:
        target = _named(document.get("applications", []), application["name"])
        had, tuned = target.get("args") or {}, application["args"]
        replaced = {"quantized", *(("finest_stride",) if "detector_stride" in tuned else ())}
        target["args"] = {k: v for k, v in had.items() if k not in replaced} | tuned
        for deployment in application["deployments"]:
            inside = _named(target.get("deployments", []), deployment["name"])
            inside["user_config"] = {
                **(inside.get("user_config") or {}),
                **deployment["user_config"],
            }
            least, scaling = deployment["num_replicas"], inside.get("autoscaling_config")
            if scaling is None:
                inside["num_replicas"] = least
            else:
                scaling["min_replicas"] = least
                scaling["max_replicas"] = max(scaling.get("max_replicas", 1), least)
    return document


def environment(part: Mapping[str, Any]) -> dict[str, str]:
    """Return the same settings as environment variables, for `mmpose-service analyze`."""
    (application,) = part["applications"]
    return {environment_name(k): str(v) for k, v in application["args"].items()}


def _measured(item: PoseRate | StrideCost) -> dict[str, Any]:
    """Return a measurement as JSON values; what was not measured is None."""

    def known(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {k: None if isinstance(v, float) and isnan(v) else v for k, v in pairs}

    return asdict(item, dict_factory=known)


def _named(items: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    for item in items:
        if item.get("name") == name:
            return item
    raise BadParameterError(f"the config has no {name}", field="into")


def _noise(input_size: tuple[int, int]) -> U8:
    width, height = input_size
    return np.random.default_rng(0).integers(0, 255, (_CROPS, height, width, 3), np.uint8)


def _evidence(
    model: str | None,
    rates: Sequence[PoseRate],
    strides: Sequence[StrideCost],
    chosen: PoseRate,
    stride: StrideCost | None,
) -> list[str]:
    lines = [
        f"mmpose-service tune, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC: {usable_cpus()} CPUs, "
        f"{platform.machine()}, {platform.node()}",
        f"{model}: crops a second, and how far keypoints move against fp32 (crop pixels)",
    ]
    for r in rates:
        mark = " <- chosen" if r is chosen else ""
        lines.append(
            f"  {r.engine} {r.precision}, {r.replicas} x {r.threads} threads, batch {r.batch:2}: "
            f"{r.crops_per_s:7.1f}  median {r.shift_median_px:.2f}, 95 % {r.shift_p95_px:.2f}{mark}"
        )
    if strides:
        lines.append("stride: detections, overlap (IoU) of boxes with those of every frame")
    for c in strides:
        mark = " <- chosen" if c is stride else ""
        finest = f", down to {c.finest} where people move" if c.finest else ""
        lines.append(
            f"  {c.stride}{finest}: {c.detections}, {c.against.iou_mean:.3f} (worst 5 %: "
            f"{c.against.iou_p5:.3f}), missed {c.against.missed} of {c.against.people}{mark}"
        )
    return lines
