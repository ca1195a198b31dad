"""Facts of the published models, by the config name that the registry file uses.

Average precision is on COCO val2017 as MMPose publishes it: RTMPose without, HRNet with flip test,
with a detector of 56.4 person AP. Digests are the prefixes in the published file names.
"""

from dataclasses import dataclass
from typing import Final, Literal

Task = Literal["pose", "detect"]
Family = Literal["rtmpose", "hrnet", "rtmdet"]
Codec = Literal["simcc", "heatmap", "boxes"]

_MMPOSE = "https://download.openmmlab.com/mmpose/v1/"
_MMDET = "https://download.openmmlab.com/mmdetection/v3.0/"
_RTMPOSE_CONFIGS = "mmpose::configs/body_2d_keypoint/rtmpose/coco/"
_HRNET_CONFIGS = "mmpose::configs/body_2d_keypoint/topdown_heatmap/coco/"


@dataclass(frozen=True, slots=True)
class Published:
    """One published model.

    Attributes:
        name: for people. mm_config: ``package::path`` below the package's ``.mim`` folder.
        url: of the checkpoint; its file name holds the first 8 digits of the sha256.
        input_size: (width, height). ap: COCO AP in per cent, None for detectors.
    """

    name: str
    task: Task
    family: Family
    codec: Codec
    mm_config: str
    url: str
    sha256: str
    input_size: tuple[int, int]
    ap: float | None = None

    @property
    def checkpoint(self) -> str:
        """File name of the checkpoint."""
        return self.url.rsplit("/", 1)[1]


PUBLISHED: Final[dict[str, Published]] = {
    "rtmpose-m_simcc-aic-coco_pt-aic-coco_420e-256x192": Published(
        name="RTMPose-Medium",
        task="pose",
        family="rtmpose",
        codec="simcc",
        mm_config=_RTMPOSE_CONFIGS + "rtmpose-m_8xb256-420e_aic-coco-256x192.py",
        url=_MMPOSE
        + "projects/rtmposev1/"
        + "rtmpose-m_simcc-aic-coco_pt-aic-coco_420e-256x192-63eb25f7_20230126.pth",
        sha256="63eb25f7",
        input_size=(192, 256),
        ap=75.8,
    ),
    "rtmpose-s_simcc-aic-coco_pt-aic-coco_420e-256x192": Published(
        name="RTMPose-Small",
        task="pose",
        family="rtmpose",
        codec="simcc",
        mm_config=_RTMPOSE_CONFIGS + "rtmpose-s_8xb256-420e_aic-coco-256x192.py",
        url=_MMPOSE
        + "projects/rtmposev1/"
        + "rtmpose-s_simcc-aic-coco_pt-aic-coco_420e-256x192-fcb2599b_20230126.pth",
        sha256="fcb2599b",
        input_size=(192, 256),
        ap=72.2,
    ),
    "td-hm_hrnet-w48_8xb32-210e_coco-256x192": Published(
        name="HRNet-W48",
        task="pose",
        family="hrnet",
        codec="heatmap",
        mm_config=_HRNET_CONFIGS + "td-hm_hrnet-w48_8xb32-210e_coco-256x192.py",
        url=_MMPOSE
        + "body_2d_keypoint/topdown_heatmap/coco/"
        + "td-hm_hrnet-w48_8xb32-210e_coco-256x192-0e67c616_20220913.pth",
        sha256="0e67c616",
        input_size=(192, 256),
        ap=75.6,
    ),
    "rtmdet_nano_320-8xb32_coco-person": Published(
        name="RTMDet-nano",
        task="detect",
        family="rtmdet",
        codec="boxes",
        mm_config="mmpose::demo/mmdetection_cfg/rtmdet_nano_320-8xb32_coco-person.py",
        url=_MMPOSE + "projects/rtmpose/rtmdet_nano_8xb32-100e_coco-obj365-person-05d8511e.pth",
        sha256="05d8511e",
        input_size=(320, 320),
    ),
    "rtmdet_m_640-8xb32_coco-person": Published(
        name="RTMDet-m",
        task="detect",
        family="rtmdet",
        codec="boxes",
        mm_config="mmpose::demo/mmdetection_cfg/rtmdet_m_640-8xb32_coco-person.py",
        url=_MMPOSE + "projects/rtmpose/rtmdet_m_8xb32-100e_coco-obj365-person-235e8209.pth",
        sha256="235e8209",
        input_size=(640, 640),
    ),
    # No person-only RTMDet-tiny is published: this one knows COCO's 80 classes, person first.
    "rtmdet_tiny_8xb32-300e_coco": Published(
        name="RTMDet-tiny",
        task="detect",
        family="rtmdet",
        codec="boxes",
        mm_config="mmdet::configs/rtmdet/rtmdet_tiny_8xb32-300e_coco.py",
        url=_MMDET
        + "rtmdet/rtmdet_tiny_8xb32-300e_coco/"
        + "rtmdet_tiny_8xb32-300e_coco_20220902_112414-78e30dcc.pth",
        sha256="78e30dcc",
        input_size=(640, 640),
    ),
}
