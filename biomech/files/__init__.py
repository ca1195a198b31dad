"""Read keypoint files and write OpenSim files, with numpy and scipy alone."""

from typing import Literal

Profile = Literal["2d", "opensim"]
"""Names of the columns of a `.mot` file: ours, or OpenSim's coordinates."""


class FileError(ValueError):
    """A file cannot be read, or a result has not what a format needs.

    Attributes:
        hint: the remedy.
    """

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.args[0]}. {self.hint}"
