"""Define RTMPose: SimCC heads, one vector of responses an axis."""

from typing import TYPE_CHECKING, Any, Final

from deployments.pose.families.family import Family

if TYPE_CHECKING:
    from deployments.pose.codecs.responses import Codec
    from deployments.pose.registry import ModelEntry


class RtmPose(Family):
    """Pose networks with a SimCC head."""

    def codec_of(self, model_config: Any, entry: "ModelEntry") -> "Codec":
        """Return the codec that the head's decoder states."""
        from deployments.pose.codecs.simcc import SimccCodec

        decoder = model_config.head.decoder
        return SimccCodec(float(decoder.simcc_split_ratio), tuple(decoder.sigma))


FAMILY: Final = RtmPose("rtmpose", codec="simcc", decoder="SimCCLabel")
