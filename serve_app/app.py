"""Build the graph: the one file that knows all the deployments.

No ``from __future__ import annotations`` here: Serve reads the builder's annotation as a class.
"""

from ray.serve import Application

from deployments.biomechanics.deployment import Biomechanics
from deployments.decode.deployment import Decode
from deployments.pose.deployment import MODELS
from deployments.render.deployment import Render
from deployments.roles import POSE_ROLES, ModelRole
from serve_app.ingress import Ingress
from serve_app.model_plan import plan_models
from serve_app.settings import Settings, load_settings

DEPLOYMENTS = (Ingress, Decode, *MODELS.values(), Biomechanics, Render)


def build(args: Settings) -> Application:
    """Wire the deployments. Replicas, resources and batching are set in the serve config.

    Args:
        args: ``args`` of the application in the serve config; the environment wins over them.

    Raises:
        ConfigurationError: a setting or the registry is wrong.
    """
    settings = load_settings(args.model_dump(exclude_unset=True))
    plan = plan_models(settings)
    models = {
        role: deployment.bind(plan.choices[role], plan.search, plan.options)
        for role, deployment in MODELS.items()
    }
    poses = {role: models[role] for role in POSE_ROLES}
    stages = {
        "decode": Decode.bind(settings.media_limits, models[ModelRole.DETECTOR], poses),
        "biomechanics": Biomechanics.bind(settings.biomechanics, plan.parts, plan.guidelines),
        "render": Render.bind(
            settings.output,
            (settings.public_url or "") + "/videos",
            settings.keep_results_s,
            settings.s3_endpoint,
        ),
    }
    application: Application = Ingress.bind(settings, plan, stages, models)
    return application
