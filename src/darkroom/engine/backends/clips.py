"""Clips of video as backends read and write them: frame by frame, never whole in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import av.error
import cv2
import msgspec
import numpy as np

from darkroom.engine.backends import sounds
from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.sounds import Samples
from darkroom.errors import BadInput

INPUT_SECONDS_MAX = 180.0
INPUT_PIXELS_MAX = 3840 * 2160
FPS = 24
_UNREADABLE = "The input clip cannot be read: send an mp4, mov or webm."
# Coarser refinement of motion and a fixed rhythm of B-frames: a third less work for a twentieth
# more bytes, SSIM the same to a thousandth.
_H264 = {"preset": "veryfast", "crf": "20", "tune": "film", "subq": "1", "b_strategy": "0"}
_VP9 = {"deadline": "realtime", "cpu-used": "6", "crf": "30", "b": "0", "auto-alt-ref": "0"}


class Clip(msgspec.Struct, frozen=True):
    """What a file says of itself: upright pixels, frames and seconds."""

    width: int
    height: int
    fps: float
    seconds: float
    has_sound: bool


def probe(path: Path, *, seconds_max: float = INPUT_SECONDS_MAX) -> Clip:
    """What a clip is; raises `BadInput` for a broken one, or one over the bounds.

    Its length is told by its packets, which are all read: what a header says may be missing.
    """
    with _opened(path) as container:
        stream = container.streams.video[0]
        first = next(container.decode(stream), None)
        if first is None:
            raise BadInput(_UNREADABLE)
        if first.width * first.height > INPUT_PIXELS_MAX:
            raise BadInput("The input clip is larger than 3840 x 2160 pixels.")
        fps = float(stream.average_rate or stream.base_rate or FPS)
        container.seek(0)
        ends = [
            float((packet.pts + (packet.duration or 0)) * packet.time_base)
            for packet in container.demux(stream)
            if packet.pts is not None and packet.time_base is not None
        ]
        started = float((stream.start_time or 0) * stream.time_base)
        seconds = max(ends, default=0.0) - started
        has_sound = bool(container.streams.audio)
        sides = (first.width, first.height)
        width, height = sides[::-1] if first.rotation in (90, -90, 270) else sides
    if seconds > seconds_max + 0.05:
        raise BadInput(
            f"The input clip is {seconds:.1f} seconds long; {seconds_max:g} are the most."
        )
    return Clip(width, height, min(max(fps, 1.0), 120.0), seconds, has_sound)


def frames(path: Path, *, fps: float, size: tuple[int, int] | None = None) -> Iterator[Pixels]:
    """Upright frames as RGB uint8 (height, width, 3) at a constant rate, of a size (width, height).

    Frame n is what the clip shows at n / fps seconds. Raises `BadInput` where the file breaks.
    """
    number, last, start, at, length = 0, None, None, 0.0, 0.0
    with _opened(path) as container:
        for frame in container.decode(container.streams.video[0]):
            start = frame.time or 0.0 if start is None else start
            length = (frame.time or 0.0) - start - at or length
            at = (frame.time or 0.0) - start
            # What came before is shown until this one begins.
            while last is not None and number / fps < at - 0.25 / fps:
                yield last
                number += 1
            last = _upright(frame, size)
        while last is not None and number / fps < at + (length or 1 / fps) - 0.25 / fps:
            yield last
            number += 1


def _upright(frame: av.VideoFrame, size: tuple[int, int] | None) -> Pixels:
    pixels = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    if turns := round(frame.rotation / 90) % 4:
        pixels = np.ascontiguousarray(np.rot90(pixels, turns))
    if size is not None and (pixels.shape[1], pixels.shape[0]) != size:
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return pixels


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with path.open("rb") as stream, av.open(stream, options=sounds.READ_OPTIONS) as container:
            if not container.streams.video:
                raise BadInput(_UNREADABLE)
            container.streams.video[0].thread_count = 1
            yield container
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise BadInput(_UNREADABLE) from error


# RGB 0..255 to Y, Cb, Cr of BT.709 in the limited range.
_TO_YUV = np.array(
    [
        [0.18259, 0.61423, 0.06201, 16.0],
        [-0.10064, -0.33857, 0.43922, 128.0],
        [0.43922, -0.39894, -0.04027, 128.0],
    ],
    np.float32,
)


def planes(rgb: Pixels) -> Pixels:
    """Returns RGB (height, width, 3) as planes of YUV 4:2:0 (height * 3 / 2, width).

    OpenCV takes less than half of the time that FFmpeg's scaler takes.
    """
    height, width = rgb.shape[:2]
    full = cv2.transform(rgb, _TO_YUV)
    half = cv2.resize(full, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    planes = np.empty((height * 3 // 2, width), np.uint8)
    planes[:height] = cv2.extractChannel(full, 0)
    planes[height:] = np.stack(cv2.split(half)[1:]).reshape(-1, width)
    return planes


class Writer:
    """An MP4 (H.264, AAC, faststart) or, with alpha, a WebM (VP9) being written frame by frame.

    Width and height must be even. Sound is float32 (samples, 2) at 48 kHz; it is laid beside the
    frames as they come and cut where they end. The same frames give the same bytes.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        *,
        fps: float = FPS,
        sound: Samples | None = None,
        alpha: bool = False,
    ) -> None:
        self.media_type = "video/webm" if alpha else "video/mp4"
        self._rate = Fraction(fps).limit_denominator(1001)
        options = {"fflags": "+bitexact"} | ({} if alpha else {"movflags": "+faststart"})
        self._container: Any = av.open(
            str(path), "w", format="webm" if alpha else "mp4", options=options
        )
        self._alpha = alpha
        self._video = self._container.add_stream(
            "libvpx-vp9" if alpha else "libx264", rate=self._rate, options=_VP9 if alpha else _H264
        )
        self._video.width, self._video.height = size
        self._video.pix_fmt = "yuva420p" if alpha else "yuv420p"
        self._video.thread_count = 1
        self._video.codec_context.color_range = 1  # limited, as players expect
        self._video.codec_context.colorspace = 1  # BT.709, which frames are turned into
        self._sound, self._laid, self._count = sound, 0, 0
        if sound is not None:
            self._audio = self._container.add_stream(
                "libopus" if alpha else "aac", rate=sounds.RATE, layout="stereo"
            )
            self._audio.bit_rate = 160_000

    def add(self, pixels: Pixels) -> None:
        """Write the next frame, uint8 (height, width, 3), or 4 with alpha."""
        if self._alpha:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgba")
            turned = frame.reformat(
                format="yuva420p",
                src_colorspace="ITU709",
                dst_colorspace="ITU709",
                dst_color_range="MPEG",
            )
        else:
            turned = av.VideoFrame.from_ndarray(planes(pixels), format="yuv420p")
        turned.pts, turned.time_base = self._count, 1 / self._rate
        self._count += 1
        self._container.mux(self._video.encode(turned))
        self._lay()

    def _lay(self) -> None:
        """Write the sound that belongs beside the frames so far."""
        if self._sound is None:
            return
        until = min(len(self._sound), round(self._count / self._rate * sounds.RATE))
        for frame in sounds.frames(self._sound[self._laid : until], first=self._laid):
            self._container.mux(self._audio.encode(frame))
        self._laid = until

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._container.mux(self._video.encode(None))
                if self._sound is not None:
                    self._container.mux(self._audio.encode(None))
        finally:
            self._container.close()

    @property
    def seconds(self) -> float:
        """How long the clip is so far."""
        return float(self._count / self._rate)
