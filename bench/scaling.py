"""Simulate how the graph scales, from measured times: python -m bench.scaling

Times of the stages come from `python -m bench.stages --json FILE` on this machine (by default from
bench/results/stages.json). An accelerator's are given, not measured: --crops-per-s and
--detections-per-s; without them the pose stage runs on the cores, as measured.

Two cases: many videos at once, as many as keep every node busy, and a single hour of video. Where
the second stops scaling is set by MMPOSE_SEGMENTS_IN_FLIGHT and by what is done once a clip. What
an hour of video costs follows from the price given (--node-hour: of a node and hour, in any
currency).
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench.cluster_simulation import Cluster, Costs, Outcome, process, video
from bench.harness import CONSOLE, RESULTS, machine, save, table
from bench.virtual_time import simulate
from deployments.decode.deployment import in_calls
from deployments.messages import AnalysisOptions

NODES = (1, 2, 4, 8, 16, 32, 64)
VIDEOS_A_NODE = 8
VIDEO_S = 60.0
HOUR_S = 3600.0


def costs_from(
    stages: Sequence[dict[str, Any]],
    people: float,
    crops_per_s: float | None,
    detections_per_s: float | None,
    stride: int,
) -> Costs:
    """Costs of a frame by what `bench.stages` measured of each stage alone (CPU seconds)."""
    by_name = {row["stage"]: row["cpu_s"] / row["frames"] for row in stages}
    pose = next(v for k, v in by_name.items() if k.startswith("pose"))
    pictures = by_name["decode + letterbox"] + by_name["decode + crop"] - by_name["decode"]
    accelerated = 0.0
    if crops_per_s:
        accelerated = people / crops_per_s + 1 / (stride * (detections_per_s or crops_per_s))
    return Costs(
        decode_core=pictures + by_name["blur"],
        pose_accelerator=accelerated,
        pose_core=0.0 if crops_per_s else pose + by_name["detect"],
        render_core=by_name["render: decode, draw, encode"],
        clip_core=by_name["probe"] + by_name["biomechanics"] + by_name["answer"],
        join_core=by_name["join"],
    )


def throughput(cluster: Cluster, costs: Costs, annotated: bool) -> tuple[float, Outcome]:
    """Seconds of video done in a second, with as many videos as keep every node busy."""
    videos = [video(VIDEO_S)] * (VIDEOS_A_NODE * cluster.nodes)
    outcome, seconds = simulate(
        process(videos, cluster, costs, annotated=annotated, at_once=len(videos))
    )
    return VIDEO_S * len(videos) / seconds, outcome


def alone(cluster: Cluster, costs: Costs, annotated: bool) -> float:
    """Seconds of video done in a second when one hour of it is all there is."""
    _, seconds = simulate(process([video(HOUR_S)], cluster, costs, annotated=annotated, at_once=1))
    return HOUR_S / seconds


def rows_of(cluster: Cluster, costs: Costs, annotated: bool) -> list[dict[str, Any]]:
    """A row a size of the cluster."""
    rows: list[dict[str, Any]] = []
    for nodes in NODES:
        sized = replace(cluster, nodes=nodes)
        many, outcome = throughput(sized, costs, annotated)
        wide = replace(sized, segments_in_flight=cluster.segments_in_flight * nodes)
        rows.append(
            {
                "nodes": nodes,
                "many": many,
                "one": alone(sized, costs, annotated),
                "one_wide": alone(wide, costs, annotated),
                "cores_busy": outcome.core_s / (nodes * cluster.cores * outcome.seconds),
                "accelerators_busy": outcome.accelerator_s
                / (nodes * cluster.accelerators * outcome.seconds),
            }
        )
    for row in rows:
        for kind in ("many", "one", "one_wide"):
            row[f"{kind}_linear"] = row[kind] / (row["nodes"] * rows[0][kind])
    return rows


def main() -> None:
    """Simulate, print, draw and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stages", type=Path, default=RESULTS / "stages.json")
    parser.add_argument("--video", help="of these measurements; default: the longest")
    parser.add_argument("--people", type=float, default=1.2, help="in a frame")
    parser.add_argument("--crops-per-s", type=float, help="of one accelerator")
    parser.add_argument("--detections-per-s", type=float, help="default: as crops")
    parser.add_argument("--cores", type=int, default=2, help="of a node")
    parser.add_argument("--segments-in-flight", type=int, default=16)
    parser.add_argument("--no-video", action="store_true", help="nothing is drawn")
    parser.add_argument("--node-hour", type=float, help="price of a node and hour")
    parser.add_argument("--name", default="scaling", help="of the results")
    given = parser.parse_args()
    measured = json.loads(given.stages.read_text())
    videos = measured["videos"]
    name = given.video or max(videos, key=lambda listed: videos[listed][0]["frames"])
    costs = costs_from(videos[name], given.people, given.crops_per_s, given.detections_per_s, 4)
    calls = in_calls(AnalysisOptions())
    cluster = Cluster(
        1,
        given.cores,
        segments_in_flight=given.segments_in_flight,
        pose_calls_in_flight=calls.pose_calls_in_flight,
        call_frames=max(round(calls.batch / given.people), 1),
    )
    rows = rows_of(cluster, costs, not given.no_video)
    where = "an accelerator as given" if given.crops_per_s else "everything on cores"
    caption = f"nodes of {given.cores} cores, {where}, {name}; simulated"
    table(
        f"times real time; {caption}",
        ("nodes", "many videos", "linear", "one hour", "linear", "with more in flight", "linear"),
        [
            (
                row["nodes"],
                *(
                    text
                    for kind in ("many", "one", "one_wide")
                    for text in (f"{row[kind]:.1f}", f"{row[f'{kind}_linear']:.2f}")
                ),
            )
            for row in rows
        ],
    )
    node_hours = 1 / rows[0]["many"]
    CONSOLE.print(f"an hour of video takes {node_hours:.3f} hours of a node at full load")
    price = None if given.node_hour is None else node_hours * given.node_hour
    if price is not None:
        CONSOLE.print(f"at {given.node_hour:g} a node and hour: {price:.4f} an hour of video")
    save(
        given.name,
        {
            "machine": machine(),
            "stages_of": measured["machine"],
            "video": name,
            "costs": asdict(costs),
            "cluster": asdict(cluster),
            "annotated": not given.no_video,
            "rows": rows,
            "node_hours_an_hour_of_video": node_hours,
            "price_an_hour_of_video": price,
        },
    )


if __name__ == "__main__":
    main()
