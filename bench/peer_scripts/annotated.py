"""The annotated video of a peer, by the same encoder with the same settings as this project's."""

import av


class Annotated:
    """Writes BGR pictures as H.264; without a path, nothing."""

    def __init__(self, path, rate):
        self._out = av.open(path, "w") if path else None
        self._stream, self._rate = None, rate

    def __bool__(self):
        return self._out is not None

    def write(self, image):
        """Add a picture (h, w, 3), less an odd row or column."""
        if self._out is None:
            return
        if self._stream is None:
            stream = self._out.add_stream("libx264", rate=self._rate)
            stream.height, stream.width = (side // 2 * 2 for side in image.shape[:2])
            stream.pix_fmt = "yuv420p"
            stream.options = {"preset": "superfast", "crf": "25", "bf": "0"}
            stream.codec_context.thread_type = "FRAME"
            self._stream = stream
        even = image[: self._stream.height, : self._stream.width]
        frame = av.VideoFrame.from_ndarray(even, format="bgr24")
        self._out.mux(self._stream.encode(frame))

    def close(self):
        """Finish the file."""
        if self._out is not None:
            self._out.mux(self._stream.encode(None))
            self._out.close()
