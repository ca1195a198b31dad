"""Let a process import numpy, scipy and `biomech` alone, with what pytest itself needs.

Import it, or give it to pytest: ``-p tests.support.numpy_and_scipy_alone`` runs the tests of
`biomech` and skips modules of tests that ask the service.
"""

import sys
from typing import Final

ALLOWED: Final = frozenset(("numpy", "scipy", "biomech", "tests"))
TESTING: Final = frozenset(
    ("pytest", "pytest_timeout", "_pytest", "pluggy", "iniconfig", "packaging", "pygments",
     "hypothesis", "_hypothesis_globals", "_hypothesis_pytestplugin", "sortedcontainers")
)  # fmt: skip
SERVICE: Final = frozenset(("serve_app", "deployments", "tools", "jsonschema"))
"""Packages of tests that ask the service."""


class _Guard:
    """Refuses every other package before it is looked for."""

    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        built = top in sys.stdlib_module_names or top.startswith(("_sysconfig", "test_"))
        if built or top in ALLOWED or (top in TESTING and "pytest" in sys.modules):
            return
        if top in SERVICE and "pytest" in sys.modules:
            sys.modules["pytest"].skip(
                f"the module asks the service: {top}", allow_module_level=True
            )
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, _Guard())
