"""Implement `mmpose-service eval`: compute the average precision on a copy of COCO."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from deployments.errors import BadParameterError, NotReadyError, WeightsMissingError
from deployments.pose.loading import load_detector, load_pose_model
from deployments.pose.offline.coco_evaluation import EvaluationResult, find_coco
from deployments.pose.offline.coco_evaluation import evaluate as measure
from deployments.pose.registry import ModelEntry
from deployments.pose.weights import find_weights
from deployments.roles import ModelRole
from serve_app.cli.completion import complete_model
from serve_app.cli.json_output import json_option, print_json
from serve_app.cli.progress_bar import progress_of
from serve_app.model_plan import ModelPlan, plan_models
from serve_app.settings import load_settings


@click.command("eval")
@click.argument("coco_dir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--model",
    help="Registry key; default: the model that `analyze` would use.",
    shell_complete=complete_model,
)
@click.option(
    "--boxes",
    type=click.Choice(["ground_truth", "detector"]),
    default="ground_truth",
    show_default=True,
    help="Source of the boxes of people.",
)
@json_option
def evaluate(coco_dir: Path, model: str | None, boxes: str, as_json: bool) -> None:
    """Measure the COCO keypoint AP of a pose model on COCO_DIR and show the published figure.

    COCO_DIR has annotations/person_keypoints_val2017.json and val2017/, or coco_keypoints.json and
    pictures. Published figures use the flip test (MMPOSE_FLIP_TEST=1) and a detector's boxes.
    """
    plan = plan_models(load_settings())
    annotations, images = find_coco(coco_dir)
    entry, checkpoint = pose_model_here(model, plan)
    detector = None
    if boxes == "detector":
        detector = load_detector(
            *first_here(plan.choices[ModelRole.DETECTOR].entries, plan), plan.options
        )
    with progress_of(entry.name) as report:
        result = measure(
            annotations,
            images,
            load_pose_model(entry, checkpoint, plan.options, ModelRole.PRIMARY),
            detector,
            published_ap=None if entry.published_ap is None else entry.published_ap / 100,
            progress=lambda done, total: report("evaluating", done, total),
        )
    if as_json:
        print_json(asdict(result))
    else:
        click.echo(_text(result, plan.options.flip_test))


def pose_model_here(key: str | None, plan: ModelPlan) -> tuple[ModelEntry, Path]:
    """Return the pose model ``key``, or the one that would be used, and its checkpoint.

    Raises:
        BadParameterError: the model has another task.
        UnknownModelError: there is no such model. WeightsMissingError: its checkpoint is missing.
    """
    candidates = (plan.config.entry(key),) if key else plan.choices[ModelRole.PRIMARY].entries
    entry, checkpoint = first_here(candidates, plan)
    if entry.task != "pose":
        raise BadParameterError(f"{entry.key} is not a pose model", field="model")
    return entry, checkpoint


def first_here(candidates: Sequence[ModelEntry], plan: ModelPlan) -> tuple[ModelEntry, Path]:
    """Return the first model whose checkpoint is installed, and the checkpoint.

    Raises:
        WeightsMissingError: none is installed; names the first.
    """
    failures = []
    for entry in candidates:
        try:
            return entry, find_weights(entry, plan.search)
        except WeightsMissingError as error:
            failures.append(error)
    raise failures[0] if failures else NotReadyError("no model of this role is enabled")


def _text(result: EvaluationResult, flip_test: bool) -> str:
    published = (
        "none"
        if result.published_ap is None
        else f"AP {result.published_ap:.3f} (COCO val2017, flip test, detector of 56.4 AP)"
    )
    return "\n".join(
        (
            f"{result.model}: {result.people} people in {result.images} pictures, boxes: "
            f"{result.boxes}, flip test: {'on' if flip_test else 'off'}",
            f"AP {result.ap:.3f}   AP50 {result.ap50:.3f}   AP75 {result.ap75:.3f}   "
            f"AR {result.ar:.3f}",
            f"published: {published}",
        )
    )
