"""Write the description of the interface to ``tests/data/openapi.json``, for a test to compare.

python -m tools.openapi
"""

import json
import tempfile
from pathlib import Path
from typing import Any, Final

from serve_app.http.routes import create_app
from serve_app.jobs.jobs import Jobs
from serve_app.model_plan import plan_models
from serve_app.service import PoseService
from serve_app.setting_types import ROOT
from serve_app.settings import load_settings

SNAPSHOT: Final = ROOT / "tests" / "data" / "openapi.json"


def description(folder: Path) -> dict[str, Any]:
    """Return the description without what changes with each release or demonstration.

    Args:
        folder: where the service may write.
    """
    names = {"spool_dir": "spool", "output": "videos", "jobs_dir": "jobs"}
    settings = load_settings({name: str(folder / part) for name, part in names.items()})
    service = PoseService(settings, plan_models(settings), _NoStages(), dict)
    document = create_app(service, Jobs(service)).openapi()
    del document["info"]["version"]
    del document["paths"]["/pose"]["post"]["responses"]["200"]["content"]["application/json"][
        "example"
    ]
    return document


def text_of(document: dict[str, Any]) -> str:
    """Return the text of the file."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


class _NoStages:
    """Stages of a service that is described and never asked."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        SNAPSHOT.write_text(text_of(description(Path(folder))), "utf-8")
