"""A model that tells each caller how many crops were in the batch that answered it."""

from dataclasses import dataclass

import numpy as np

from deployments.messages import CropPoses, ModelStatus

POISON = 255


class BatchTeller:
    """Its keypoints are the number of crops in the call; a poisonous crop fails the call."""

    status = ModelStatus(role="rtmpose", loaded=True, name="Batch-Teller")
    calls_at_once = 1

    def infer(self, crops):
        if (crops == POISON).any():
            raise ValueError("bad picture")
        told = np.full((len(crops), 17, 2), len(crops), np.float32)
        return CropPoses(told, told[..., 0], told[..., 0], told)


@dataclass(frozen=True)
class Choice:
    """Loads it; see :class:`deployments.pose.loading.ModelChoice`."""

    role: str = "rtmpose"

    def load(self, search, options):
        return BatchTeller()
