"""The graph: the one file that knows all the deployments.

No ``from __future__ import annotations`` here: Serve reads the builder's annotation as a class.
"""

from ray.serve import Application

from deployments.biomechanics.deployment import Biomechanics
from deployments.decode.deployment import Decode
from deployments.pose.deployment import Detector, HRNet, RTMPose
from deployments.render.deployment import Render
from serve_app.ingress import Ingress
from serve_app.model_plan import plan_models
from serve_app.settings import Settings, load_settings

DEPLOYMENTS = (Ingress, Decode, Detector, RTMPose, HRNet, Biomechanics, Render)


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
        "rtmpose": RTMPose.bind(plan.choices["rtmpose"], plan.search, plan.options),
        "hrnet": HRNet.bind(plan.choices["hrnet"], plan.search, plan.options),
        "detector": Detector.bind(plan.choices["detector"], plan.search, plan.options),
    }
    poses = {role: models[role] for role in ("rtmpose", "hrnet")}
    stages = {
        "decode": Decode.bind(settings.media_limits, models["detector"], poses),
        "biomechanics": Biomechanics.bind(settings.biomechanics, plan.parts, plan.guidelines),
        "render": Render.bind(
            settings.output, (settings.public_url or "") + "/videos", settings.keep_results_s
        ),
    }
    application: Application = Ingress.bind(settings, plan, stages, models)
    return application
