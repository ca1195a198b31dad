"""Write the table of settings in ``docs/operator.md`` from :class:`serve_app.settings.Settings`.

python -m tools.settings_table
"""

import os
import tempfile
from pathlib import Path
from typing import Any, Final

from pydantic.fields import FieldInfo

from serve_app.setting_types import ROOT, environment_name
from serve_app.settings import Settings

PAGE: Final = ROOT / "docs" / "operator.md"
_START, _END = "<!-- settings: python -m tools.settings_table -->\n", "<!-- end of settings -->\n"
_BASES: Final = (
    (Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"), "~/.cache/"),
    (ROOT, ""),
    (Path(tempfile.gettempdir()), "$TMPDIR/"),
)


def table() -> str:
    """Return the settings as a Markdown table: variable, default and meaning."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        extra = field.json_schema_extra
        notes: dict[str, Any] = extra if isinstance(extra, dict) else {}
        page = f" [More]({notes['page']})." if "page" in notes else ""
        rows.append(
            f"| `{environment_name(name)}` | {notes.get('unset') or _default(name, field)} "
            f"| {field.description}{page} |"
        )
    return "\n".join(rows) + "\n"


def page_with(text: str) -> str:
    """Return the page ``text`` with the table that the settings give now."""
    head, _, rest = text.partition(_START)
    _, found, tail = rest.partition(_END)
    if not found:
        raise ValueError(f"the page lacks the lines {_START!r} and {_END!r}")
    return head + _START + "\n" + table() + "\n" + _END + tail


def _default(name: str, field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and name.endswith("_bytes"):
        unit, letter = (1024**3, "GiB") if value >= 1024**3 else (1024**2, "MiB")
        return f"{value // unit} {letter}"
    if isinstance(value, int | float):
        return f"{value:.12g}"
    if not value:
        return ""
    for base, shown in _BASES if Path(value).is_absolute() else ():
        if Path(value).is_relative_to(base):
            return f"`{shown}{Path(value).relative_to(base)}`"
    return f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(page_with(PAGE.read_text("utf-8")), "utf-8")
