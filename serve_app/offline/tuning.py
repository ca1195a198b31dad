"""Measure on this machine which settings of the models are fastest, and what they cost.

Every figure is of networks that `analyze` and the graph would load, on crops of a given video.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Literal

import numpy as np

from biomech.config import CONFIDENCE_THRESHOLD
from deployments.concurrency import run_async
from deployments.decode.segment_analysis import analyze_segment
from deployments.errors import NotReadyError
from deployments.messages import U8, AnalysisOptions, CropPoses, Detections, ModelStatus, Segment
from deployments.pose.interface import PersonDetector, PoseModel
from deployments.pose.loading import ModelChoice
from deployments.pose.model_options import EngineOptions
from deployments.process_setup import usable_cpus
from deployments.roles import ModelRole
from serve_app.model_plan import ModelPlan
from serve_app.offline.analysis_diff import AnalysisDifference, Rows, crop_shift_px, difference

BATCHES = (1, 4, 8, 16, 32)
STRIDES = ((1, None), (2, None), (4, None), (8, None), (8, 2), (16, 2))
_MOST_REPLICAS = 8
_ALIKE = 0.97
"""Of the fastest: what is as fast within the scatter of such a short measurement."""

Engine = Literal["torch", "openvino"]


@dataclass(frozen=True, slots=True)
class PoseRate:
    """Rate and accuracy of pose models of one kind.

    Attributes:
        engine, precision: as the model says. mixed: whether mixed precision was asked for.
        quantized: folder of the network in int8, where that was.
        threads: of each replica. replicas: at once. batch: crops in a call.
        crops_per_s: of all of them.
        shift_median_px, shift_p95_px: of keypoints, against the same engine in fp32, crop pixels;
            NaN where none are seen.
    """

    engine: Engine
    precision: str
    mixed: bool
    quantized: Path | None
    threads: int
    replicas: int
    batch: int
    crops_per_s: float
    shift_median_px: float
    shift_p95_px: float


@dataclass(frozen=True, slots=True)
class StrideCost:
    """Cost and accuracy of a detector stride.

    Attributes:
        stride, finest: as in the settings. detections: pictures given to the detector.
        against: how far the result is from that of detection in every frame.
    """

    stride: int
    finest: int | None
    detections: int
    against: AnalysisDifference


def load_pose(plan: ModelPlan, options: EngineOptions) -> PoseModel:
    """Load the model that answers by default, under other options.

    Raises:
        NotReadyError: there is none.
    """
    model: PoseModel = _loaded(plan.choices[ModelRole.PRIMARY], plan, options)
    return model


def load_detector(plan: ModelPlan) -> PersonDetector:
    """Load the detector as planned.

    Raises:
        NotReadyError: there is none.
    """
    detector: PersonDetector = _loaded(plan.choices[ModelRole.DETECTOR], plan, plan.options)
    return detector


def _loaded(choice: ModelChoice, plan: ModelPlan, options: EngineOptions):  # type: ignore[no-untyped-def]
    model = choice.load(plan.search, options)
    if isinstance(model, ModelStatus):
        raise NotReadyError(f"{choice.role}: {model.reason}")
    return model


def pose_rates(plan: ModelPlan, crops: U8, seconds: float) -> list[PoseRate]:
    """Measure every variant that this machine can run, in about ``seconds`` after loading.

    Args:
        plan: which model. crops: (n, h, w, 3) of people, n >= 1.
    """
    kinds = list(_kinds(plan))
    each = seconds / (len(kinds) * len(BATCHES))
    references: dict[str, CropPoses] = {}
    rates = []
    for options, replicas in kinds:
        models = [load_pose(plan, options) for _ in range(replicas)]
        status = models[0].status
        found = models[0].infer(crops)
        reference = references.setdefault(status.engine or "", found)
        median, p95 = crop_shift_px(reference, found, CONFIDENCE_THRESHOLD)
        for batch in BATCHES:
            pieces = np.resize(crops, (batch, *crops.shape[1:]))
            rates.append(
                PoseRate(
                    engine="torch" if status.engine == "torch" else "openvino",
                    precision=status.precision or "",
                    mixed=options.precision == "mixed",
                    quantized=options.quantized,
                    threads=options.cpu_threads,
                    replicas=replicas,
                    batch=batch,
                    crops_per_s=_rate(models, pieces, each),
                    shift_median_px=median,
                    shift_p95_px=p95,
                )
            )
    return rates


def _kinds(plan: ModelPlan) -> Iterator[tuple[EngineOptions, int]]:
    """List options with numbers of replicas, fp32 first; equal ones once."""
    cpus = usable_cpus()
    layouts = {(cpus, 1), (1, min(cpus, _MOST_REPLICAS))}
    seen = set()
    precisions: tuple[Literal["fp32", "mixed"], ...] = ("fp32", "mixed")
    engines: tuple[Engine, ...] = ("openvino", "torch")
    for quantized, precision, engine in product(
        dict.fromkeys((None, plan.options.quantized)), precisions, engines
    ):
        options = replace(
            plan.options,
            quantized=quantized,
            precision=precision,
            engine=engine,
            batch=max(BATCHES),
        )
        status = load_pose(plan, options).status
        kind = status.engine, status.precision
        if kind in seen:
            continue
        seen.add(kind)
        for threads, replicas in sorted(layouts):
            yield replace(options, threads=threads), replicas if status.device == "cpu" else 1


def _rate(models: Sequence[PoseModel], crops: U8, seconds: float) -> float:
    """Measure crops a second of all models together."""

    def work(model: PoseModel) -> int:
        calls = 0
        while not calls or time.perf_counter() < end:
            model.infer(crops)
            calls += 1
        return calls

    with ThreadPoolExecutor(len(models)) as pool:
        list(pool.map(lambda model: model.infer(crops), models))  # the first call is another
        began = time.perf_counter()
        end = began + seconds
        calls = sum(pool.map(work, models))
        return calls * len(crops) / (time.perf_counter() - began)


def fastest(rates: Sequence[PoseRate], most_shift_px: float) -> PoseRate:
    """Return the fastest whose keypoints are no further from fp32 at the median.

    Of those as fast within the scatter, the one that asks for least: replicas, then the batch.
    """
    allowed = [
        r for r in rates if not (r.mixed or r.quantized) or r.shift_median_px <= most_shift_px
    ]
    best = max(r.crops_per_s for r in allowed)
    alike = [r for r in allowed if r.crops_per_s >= _ALIKE * best]
    return min(alike, key=lambda r: (r.replicas, r.batch))


def stride_costs(
    plan: ModelPlan, segment: Segment, strides: Sequence[tuple[int, int | None]]
) -> list[StrideCost]:
    """Measure detector strides on one segment; the first is the reference."""
    pose, detector = load_pose(plan, plan.options), load_detector(plan)
    costs: list[StrideCost] = []
    reference: Rows | None = None
    for stride, finest in strides:
        asked = 0

        async def detect(images: U8) -> list[Detections]:
            nonlocal asked
            asked += len(images)
            return await asyncio.get_running_loop().run_in_executor(thread, detector.infer, images)

        async def estimate(crops: U8) -> tuple[str, CropPoses]:
            poses = await asyncio.get_running_loop().run_in_executor(thread, pose.infer, crops)
            return pose.status.name or "", poses

        options = AnalysisOptions(
            pose_input=pose.status.input_size,
            detector_input=detector.status.input_size,
            detector_stride=stride,
            finest_stride=finest,
            pose_calls_in_flight=1,
            batch=plan.options.batch,
        )
        # In one thread: two detections are under way at a time, and the engines take one.
        with ThreadPoolExecutor(1) as thread:
            rows = Rows.of_segment(run_async(analyze_segment(segment, options, detect, estimate)))
        reference = reference or rows
        against = difference(reference, rows, CONFIDENCE_THRESHOLD)
        costs.append(StrideCost(stride, finest, asked, against))
    return costs


def cheapest(costs: Sequence[StrideCost], least_iou: float) -> StrideCost:
    """Return the cost with the fewest detections whose boxes overlap those of every frame well."""
    return min(
        (c for c in costs if c.against.iou_mean >= least_iou),
        key=lambda c: c.detections,
        default=costs[0],
    )
