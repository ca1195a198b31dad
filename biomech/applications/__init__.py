"""What the numbers of a clip are for: one module an application.

Each gives a JSON-ready object with ``status`` (:data:`biomech.applications.outcome.Status`) and the
``reason`` of what is not ``ok``. None of them diagnoses, and none knows a norm of its own.
"""
