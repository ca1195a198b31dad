"""Define HRNet: heatmaps."""

from typing import TYPE_CHECKING, Any, Final

from deployments.pose.families.family import Family

if TYPE_CHECKING:
    from deployments.pose.codecs.responses import Codec
    from deployments.pose.registry import ModelEntry


class HrNet(Family):
    """Pose networks with a heatmap head."""

    def codec_of(self, model_config: Any, entry: "ModelEntry") -> "Codec":
        """Return the codec that the head's decoder states."""
        from deployments.pose.codecs.heatmap import HeatmapCodec

        decoder = model_config.head.decoder
        width, height = decoder.heatmap_size
        return HeatmapCodec(
            stride=(entry.input_size[0] / width, entry.input_size[1] / height),
            target_sigma=float(decoder.sigma),
            shift=bool(model_config.test_cfg.get("shift_heatmap", False)),
        )


FAMILY: Final = HrNet("hrnet", codec="heatmap", decoder="MSRAHeatmap")
