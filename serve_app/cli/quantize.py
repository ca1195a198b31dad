"""Implement `mmpose-service quantize`: convert the pose network to int8 if accuracy allows."""

from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from biomech.config import CONFIDENCE_THRESHOLD
from deployments.errors import BadParameterError
from deployments.pose.loading import load_detector
from deployments.pose.weights import verify
from deployments.roles import ModelRole
from serve_app.cli.completion import complete_model
from serve_app.cli.evaluate import first_here, pose_model_here
from serve_app.cli.json_output import json_option, print_json
from serve_app.cli.progress_bar import STDERR
from serve_app.model_plan import plan_models
from serve_app.offline.analysis_diff import crop_shift_px
from serve_app.offline.crop_sampling import crops_throughout
from serve_app.setting_types import environment_name
from serve_app.settings import load_settings


@click.command()
@click.argument(
    "videos", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--model",
    help="Registry key; default: the model that `analyze` would use.",
    shell_complete=complete_model,
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("quantized"),
    show_default=True,
    help="Folder for the network; networks of other models in it are kept.",
)
@click.option("--crops", type=click.IntRange(min=2), default=256, show_default=True)
@click.option(
    "--shift-px",
    type=click.FloatRange(min=0),
    default=0.5,
    show_default=True,
    help="Largest median shift of the keypoints, in crop pixels; beyond it nothing is written.",
)
@json_option
def quantize(
    videos: tuple[Path, ...],
    model: str | None,
    out: Path,
    crops: int,
    shift_px: float,
    as_json: bool,
) -> None:
    """Quantize the pose network to int8 for this kind of VIDEOS, and measure its error.

    It is fitted on people at half of the sampled times, and compared with the fp32 network at the
    other half. To measure its speed on this machine, run `mmpose-service tune`.
    """
    from deployments.pose.engines.openvino_engine import OpenVinoPose, pose_source
    from deployments.pose.engines.quantized import QuantizedFacts, quantized_path, save_quantized
    from deployments.pose.offline.int8_quantization import quantize as quantized

    settings = load_settings()
    plan = plan_models(settings.model_copy(update={"quantized": None}))
    options = replace(plan.options, precision="fp32")
    entry, checkpoint = pose_model_here(model, plan)
    sha256 = verify(entry, checkpoint)
    STDERR.print("finding people ...")
    detector = load_detector(*first_here(plan.choices[ModelRole.DETECTOR].entries, plan), options)
    places = crops_throughout(detector, entry.input_size, videos, settings.media_limits, crops)
    if len(places) < 2:
        raise BadParameterError(
            "people were detected at fewer than two sampled times; at least two are needed",
            hint="Give more or longer videos in which people are visible.",
            field="videos",
        )
    fitted_on, held_out = np.concatenate(places[::2]), np.concatenate(places[1::2])
    exact = pose_source(entry, checkpoint, options)
    STDERR.print(f"fitting {entry.name} to {len(fitted_on)} of them ...")
    whole = replace(exact, model=quantized(exact, fitted_on), quantized=True)
    reference, found = (
        OpenVinoPose(entry, checkpoint, options, ModelRole.PRIMARY, source).infer(held_out)
        for source in (exact, whole)
    )
    median, p95 = crop_shift_px(reference, found, CONFIDENCE_THRESHOLD)
    told = (
        f"{entry.name} in int8: on {len(held_out)} other crops keypoints are {median:.2f} pixels "
        f"from those in fp32 at the median, 95 % within {p95:.2f}"
    )
    if not median <= shift_px:
        raise BadParameterError(
            f"{told}: more than {shift_px:g}, nothing was written",
            hint="Use bf16 (MMPOSE_MIXED_PRECISION=1), or raise the limit with --shift-px.",
        )
    facts = QuantizedFacts(
        sha256=sha256,
        fitted_on=len(fitted_on),
        held_out=len(held_out),
        shift_median_px=median,
        shift_p95_px=p95,
    )
    path = quantized_path(out, entry)
    save_quantized(whole.model, facts, path)
    if as_json:
        print_json({"model": entry.key, "path": path, **facts.model_dump()})
    else:
        click.echo(told)
    STDERR.print(f"{path}. To enable: export {environment_name('quantized')}={out}")
