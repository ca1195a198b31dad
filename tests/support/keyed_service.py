"""A service with keys and two callers, without networks: it finds no video in any file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.errors import NotAVideoError
from deployments.messages import ModelStatus
from serve_app.access.authentication import open_access
from serve_app.access.keys import KeyFile
from serve_app.model_plan import plan_models
from serve_app.service import PoseService
from serve_app.settings import load_settings


class NoVideos:
    """Stages that refuse every file."""

    async def probe(self, *_of: Any) -> None:
        raise NotAVideoError("no video")


@dataclass(frozen=True)
class KeyedService:
    """The service.

    Attributes:
        keys: presented by whom: ``none``, ``wrong``, ``another`` and ``own``.
        me: id of the caller ``own``. secrets: that may be in no log and no answer.
    """

    service: PoseService
    keys: dict[str, str]
    me: str

    @property
    def secrets(self) -> list[str]:
        return [key.partition(".")[2] for key in self.keys.values() if key]

    def headers(self, who: str = "own") -> dict[str, str]:
        """Return the headers that ``who`` sends."""
        return {"Authorization": f"Bearer {self.keys[who]}"} if self.keys[who] else {}


def keyed_service(folder: Path, config: Path, **settings: Any) -> KeyedService:
    """Make the service and its files in ``folder``, on the registry ``config``."""
    file = KeyFile(folder / "keys.json")
    mine, own = file.add("me")
    _, another = file.add("another")
    arguments = {
        "config": config,
        "spool_dir": folder / "spool",
        "output": str(folder / "videos"),
        "jobs_dir": folder / "jobs",
        "keys_file": folder / "keys.json",
        **settings,
    }
    chosen = load_settings(arguments)
    statuses = {
        role: ModelStatus(role=role, loaded=True, name=role, input_size=(8, 8), device="cpu")
        for role in ("rtmpose", "hrnet", "detector")
    }
    plan, access = plan_models(chosen), open_access(chosen)
    service = PoseService(chosen, plan, NoVideos(), lambda: statuses, access)  # type: ignore[arg-type]
    wrong = f"{mine.id}.{'A' * 43}"
    keys = {"none": "", "wrong": wrong, "another": another, "own": own}
    return KeyedService(service, keys, mine.id)
