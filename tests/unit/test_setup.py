"""The environment that scripts/setup.sh makes."""

from importlib.util import cache_from_source, find_spec
from pathlib import Path

import pytest


@pytest.mark.parametrize("package", ["ray.serve", "torch", "fastapi", "serve_app"])
def test_packages_are_compiled(package):
    """Each of the graph's processes would compile them anew where Python writes no bytecode."""
    source = find_spec(package).origin
    assert Path(cache_from_source(source)).exists()
