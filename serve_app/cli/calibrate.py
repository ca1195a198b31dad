"""Implement `mmpose-service calibrate`: fit a model's deviations and confidences on COCO labels."""

from pathlib import Path

import click

from deployments.pose.calibration import Coverage, save_calibration
from deployments.pose.loading import load_pose_model
from deployments.pose.offline.calibration_fit import NOMINAL, Fitted, fit, measure_points
from deployments.pose.offline.coco_evaluation import find_coco
from deployments.roles import ModelRole
from serve_app.cli.completion import complete_model
from serve_app.cli.evaluate import pose_model_here
from serve_app.cli.json_output import json_option
from serve_app.cli.progress_bar import STDERR, progress_of
from serve_app.live_config import LiveConfig
from serve_app.model_plan import plan_models
from serve_app.offline.reliability_diagram import draw_reliability
from serve_app.setting_types import environment_name
from serve_app.settings import load_settings

_WITHIN = 0.05


@click.command()
@click.argument("coco_dir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--model",
    help="Registry key; default: the model that `analyze` would use.",
    shell_complete=complete_model,
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("calibration.json"),
    show_default=True,
    help="File to write; entries of other models in it are kept. A PNG is written next to it.",
)
@json_option
def calibrate(coco_dir: Path, model: str | None, out: Path, as_json: bool) -> None:
    """Calibrate keypoint deviations and confidences on the labels of COCO_DIR.

    Half of the pictures are used to fit, the other half to verify. COCO_DIR is as for `eval`.
    """
    settings = load_settings()
    plan = plan_models(settings.model_copy(update={"calibration": None}))
    annotations, images = find_coco(coco_dir)
    entry, checkpoint = pose_model_here(model, plan)
    network = load_pose_model(entry, checkpoint, plan.options, ModelRole.PRIMARY)
    with progress_of(entry.name) as report:
        points = measure_points(
            annotations, images, network, lambda done, total: report("measuring", done, total)
        )
    least = settings.confidence_threshold
    fitted = fit(
        points,
        LiveConfig().confidence_threshold if least is None else least,
        model=network,
        flip_test=plan.options.flip_test,
        labels=annotations.name,
    )
    save_calibration(fitted.calibration, out)
    picture = out.with_suffix(".png")
    draw_reliability(fitted, picture)
    click.echo(fitted.calibration.model_dump_json() if as_json else _text(fitted))
    STDERR.print(f"{out}, {picture}. To enable: export {environment_name('calibration')}={out}")


def _text(fitted: Fitted) -> str:
    told = fitted.calibration
    held = told.held_out
    kinds = sorted(told.sigma_scale.items(), key=lambda item: item[1])
    return "\n".join(
        (
            f"{told.checkpoint}: fitted on {told.points} labelled keypoints of {told.images} "
            f"pictures, measured on {held.points} of {held.images} others",
            f"standard deviation: times {kinds[0][1]:.2f} ({kinds[0][0]}) to {kinds[-1][1]:.2f} "
            f"({kinds[-1][0]}); {len(told.pooled)} of {len(kinds)} keypoints use the common factor",
            f"held out, before: {_coverage(held.before)}",
            f"held out, after:  {_coverage(held.after)}, {_verdict(held.after)}",
            f"error of the confidence: {held.confidence_error_before:.3f} before, "
            f"{held.confidence_error_after:.3f} after",
        )
    )


def _coverage(found: Coverage) -> str:
    return (
        f"68 % intervals contain {found.within_68:.1%}, 95 % intervals {found.within_95:.1%} "
        f"of {found.coordinates} coordinates"
    )


def _verdict(found: Coverage) -> str:
    off = max(
        abs(share - wanted)
        for share, wanted in zip((found.within_68, found.within_95), NOMINAL, strict=True)
    )
    return "within 5 points" if off <= _WITHIN else f"{off:.0%} off: do not rely on the intervals"
