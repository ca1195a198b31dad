"""Sports2D with its default filters: DETECTOR POSE VIDEO FOLDER, or also `annotated`.

The annotated video is its own (OpenCV's mp4v).
"""

import logging
import sys
import tomllib
from pathlib import Path

import matplotlib
from meter import Meter

matplotlib.use("Agg")


def main():
    """Analyze once and tell."""
    detector, pose, video, folder, *annotated = sys.argv[1:]
    from Sports2D import Sports2D

    demo = Path(Sports2D.__file__).parent / "Demo" / "Config_demo.toml"
    config = tomllib.loads(demo.read_text(encoding="utf-8"))
    config["base"] |= {
        "video_input": Path(video).name,
        "video_dir": str(Path(video).parent),
        "result_dir": folder,
        "person_ordering_method": "highest_likelihood",
        "show_realtime_results": False,
        "save_vid": bool(annotated),
        "save_img": False,
    }
    config["pose"] |= {
        "pose_model": "Body",
        "mode": str(
            {
                "det_class": "RTMDet",
                "det_model": detector,
                "det_input_size": [320, 320],
                "pose_class": "RTMPose",
                "pose_model": pose,
                "pose_input_size": [192, 256],
            }
        ),
        "device": "CPU",
        "backend": "onnxruntime",
    }
    config["px_to_meters_conversion"] |= {"make_c3d": False, "save_calib": False}
    config["post-processing"] |= {"show_graphs": False, "save_graphs": False}
    logging.disable(logging.INFO)
    meter = Meter()
    Sports2D.process(config)
    written = list(Path(folder).rglob("*.mp4"))
    if bool(written) != bool(annotated) or not list(Path(folder).rglob("*.trc")):
        raise SystemExit(f"Sports2D wrote {sorted(p.name for p in Path(folder).rglob('*'))}")
    meter.tell()


if __name__ == "__main__":
    main()
