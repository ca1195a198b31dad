"""Build the report of one person of a saved result as self-contained HTML."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from biomech.records.person_record import PersonSummary
from biomech.results.person_summary import LIMITS
from deployments.side_colors import SIDE_RGB_ON_WHITE, hexadecimal
from serve_app.export.saved_clip import SavedPerson, SavedResult
from serve_app.report import chart, tables
from serve_app.report.angle_series import charts_of, marks_of
from serve_app.report.caution_sentences import LONGEST, listed, warnings
from serve_app.report.chart import Chart
from serve_app.report.key_pictures import KeyPicture, key_frames
from serve_app.results.saved_result import read_summary
from serve_app.versions import SERVICE_DISTRIBUTION, package_version

_FLEXIONS: Final = "least to greatest: range [nominal 95 % interval]"
_ANGLES: Final = "least to greatest (frames known)"


@dataclass(frozen=True, slots=True)
class Report:
    """Content of the page; all text is plain, and the page escapes it.

    Attributes:
        title: of the page. facts: what it is of, by heading.
        pictures: key frames, or none. charts: angles over time. kinds: of events marked there.
        ranges, measures: tables. ranged: what the cells of ``ranges`` are.
        findings: what stands out. judged: what was looked for.
        warnings, limits: what a reader must know. made_by: last line.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    pictures: tuple[KeyPicture, ...]
    charts: tuple[Chart, ...]
    kinds: tuple[str, ...]
    ranges: tuple[tables.Row, ...]
    ranged: str
    measures: tuple[tables.Row, ...]
    findings: tuple[str, ...]
    judged: tuple[str, ...]
    warnings: tuple[str, ...]
    limits: tuple[str, ...]
    made_by: str


def report_of(
    result: SavedResult, title: str, video: Path | None = None, person_id: int | None = None
) -> Report:
    """Build the report of a person, the primary one by default.

    Args:
        result: saved. title: of the page. video: its annotated video, for key frames.

    Raises:
        BadParameterError: there is no such person, the summary is broken, or the video is.
    """
    person = result.person(person_id)
    summary = read_summary(result.summaries.get(person.person_id, {"person_id": person.person_id}))
    marks = tuple(marks_of(summary))
    flexions = tuple(tables.flexions(summary))
    return Report(
        title=title[:LONGEST],
        facts=tuple((name, text[:LONGEST]) for name, text in _facts(result, person, summary)),
        pictures=tuple(key_frames(result, person, marks, video)) if video else (),
        charts=tuple(charts_of(result, person, marks)),
        kinds=tuple(dict.fromkeys(mark.kind for mark in marks)),
        ranges=flexions or tuple(tables.ranges(result, person)),
        ranged=_FLEXIONS if flexions else _ANGLES,
        measures=tuple(tables.measures(summary)),
        findings=listed(tables.findings(summary)),
        judged=tuple(tables.judged(summary)),
        warnings=listed(
            warnings(
                (notice.detail for notice in result.warnings), summary, calibrated=person.calibrated
            )
        ),
        limits=LIMITS,
        made_by=f"{SERVICE_DISTRIBUTION} {package_version(SERVICE_DISTRIBUTION)}, "
        f"definitions {summary.definitions or 'unknown'}",
    )


def to_html(report: Report) -> str:
    """Render the page; everything that comes from the result is escaped in it."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["hexadecimal"] = hexadecimal
    page = environment.get_template("page.html")
    return page.render(report=report, chart=chart, colors=SIDE_RGB_ON_WHITE)


def _facts(
    result: SavedResult, person: SavedPerson, summary: PersonSummary
) -> list[tuple[str, str]]:
    info = result.processing.video_info
    size = f"{info.width}×{info.height}"
    height = person.height_m
    movement = summary.movement
    technique = tables.technique(summary)
    return [
        ("Video", f"{info.duration_s:.1f} s, {info.fps:g} frames/s, {size}"),
        ("Seen in", f"{len(person.rows)} of {len(result.frame)} frames"),
        ("View", person.view or "unknown"),
        ("Movement", "not given" if movement in (None, "auto") else movement),
        ("Height", "not given: no metres" if height is None else f"{height:.2f} m"),
        ("Smoothing", tables.smoothing(summary.filter) or "none"),
        ("Model", ", ".join(result.processing.models_used) or "none"),
        *((("Against the reference", technique),) if technique else ()),
    ]
