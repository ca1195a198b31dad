"""Print the results of `bench.serve_overhead` next to its targets."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from bench.histograms import mean_at_edges, quantile


def spread(values: Sequence[float], unit: str = " s") -> str:
    """The median, and between what."""
    return f"{median(values):.2f}{unit} ({min(values):.2f} to {max(values):.2f})"


def rows(figures: Mapping[str, Any], cpus: int) -> list[tuple[str, str, str]]:
    """List the measured values with their targets."""
    told = [("cold start of the graph", f"{figures['ready_s']:.1f} s", "15 s")]
    if idle := figures["idle_s"]:
        told.append(("  of as many deployments that do nothing", f"{idle:.1f} s", ""))
    if loaded := figures["load_s"]:
        told.append(("  its models in one new process", f"{loaded:.1f} s", ""))
    if rest := figures["at_rest"]:
        told.append(("CPUs that it keeps busy while nothing is asked", f"{rest:.2f}", ""))
    if times := figures["in_turn"]:
        more = median(times["graph_s"]) / median(times["process_s"]) - 1
        told += [
            ("the video by the graph", spread(times["graph_s"]), ""),
            ("  in one process", spread(times["process_s"]), ""),
            ("  the graph takes more", f"{100 * more:+.1f} %", "10 %"),
        ]
    if found := figures["efficiency"]:
        share = found["stages_cpu_s"] / (cpus * median(found["graph_s"]))
        told.append((f"stages alone / {cpus} CPUs of the graph", f"{share:.2f}", "0.9"))
    if first := figures["first_segment"]:
        alone = median(first["alone_s"])
        told += [
            (
                "first segment beyond its own work",
                f"{median(first['usual_s']) - alone:.2f} s",
                "2 s",
            ),
            ("  one at a time", f"{median(first['one_at_once_s']) - alone:.2f} s", ""),
            ("  its own work", spread(first["alone_s"]), ""),
        ]
    if found := figures["batches"]:
        filled = mean_at_edges(found["sizes"]) / found["most"]
        wait = quantile(found["waits_ms"], 0.99)
        videos = len(found["seconds"])
        told += [
            (f"batches filled, {videos} videos", f"{100 * filled:.0f} %", "70 %"),
            ("  99 of 100 wait at most", f"{wait:g} ms", f"{1000 * found['timeout_s']:g} ms"),
        ]
    if rates := figures["replicas"]:
        ratio = median(rates["two"]) / median(rates["one"])
        told += [
            ("two replicas of one thread against one", f"{ratio:.2f}", "1.8"),
            ("  crops a second of one", spread(rates["one"], ""), ""),
        ]
    if rates := figures["bare"]:
        ratio = median(rates["two"]) / median(rates["one"])
        told.append(("  two processes of the bare network against one", f"{ratio:.2f}", ""))
    return told
