"""Apply the measures of a clip: one module for each application.

Each returns a JSON-ready object with ``status`` (:data:`biomech.applications.outcome.Status`) and,
unless that is ``ok``, a ``reason``. None of them makes a diagnosis or includes norms.
"""
