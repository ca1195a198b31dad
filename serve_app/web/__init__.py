"""List the files of the pages that the service shows in a browser."""

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent

MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
"""Media type by the end of a file's name."""

_NAMES: Final = (
    "api.js",
    "app.js",
    "camera.js",
    "cards.js",
    "clip.js",
    "compare.js",
    "corrections.js",
    "curves.js",
    "cycles.js",
    "dom.js",
    "edit.js",
    "events.js",
    "history.js",
    "icon.svg",
    "letterbox.js",
    "page.css",
    "snippets.js",
    "stage.js",
    "strings.de.js",
    "strings.en.js",
    "strips.js",
    "text.js",
    "timing.js",
)

PAGE_FILES: Final = {"/": "page.html", **{f"/static/{name}": name for name in _NAMES}}
"""Name of the file at each path."""

DOCS_FILES: Final = {"/docs": "docs.html", "/static/docs.js": "docs.js"}
"""Name of the file at each path, of the page of the description."""

SWAGGER_FILES: Final = {
    f"/static/{name}": name for name in ("swagger-ui-bundle.js", "swagger-ui.css")
}
"""Name of the file of Swagger UI at each path; the package :data:`SWAGGER` has them."""

SWAGGER: Final = "fastapi_offline"
