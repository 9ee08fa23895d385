"""One image file to pixels: upright, grey or RGB, 8 bits, at one size; by the listed formats only, whatever the file is called."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from harness.base.errors import UserError
from harness.data.files.frame import GREYS, Frame

if TYPE_CHECKING:
    from harness.competition.data_spec import DataSpec

_FORMATS = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "BMP": (".bmp",),
    "DIB": (".dib",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "JPEG2000": (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    "AVIF": (".avif",),
    "SGI": (".sgi", ".rgb", ".rgba", ".bw"),
    "SUN": (".ras",),
    "ICO": (".ico",),
    "PSD": (".psd",),
    "DDS": (".dds",),
    "QOI": (".qoi",),
    "MSP": (".msp",),
    "XBM": (".xbm",),
    "PCX": (".pcx",),
    "TGA": (".tga",),
}
"""Pillow's formats that hold pixels and nothing else, with their endings: no EPS or PDF, which start programs, no containers of OLE."""

_BY_ENDING_ONLY = ("TGA", "PCX", "XBM", "MSP")
"""Formats whose files hardly say what they are: rubbish would pass for one. They are tried where the name ends like them."""

_ARRAYS = (".npy",)
_DICOM = (".dcm", ".dicom")
ENDINGS = tuple(ending for endings in (*_FORMATS.values(), _ARRAYS, _DICOM) for ending in endings)


@dataclass(frozen=True)
class Decoded:
    """An image as it goes into the data set.

    Attributes
    ----------
    pixels : uint8 (H, W, C)
    height, width : that it had, upright
    largest : largest value of a file with more than 8 bits a pixel; None of the others
    """

    pixels: np.ndarray
    height: int
    width: int
    largest: float | None = None


@dataclass(frozen=True)
class Decoder:
    """How image files of a competition become pixels.

    Attributes
    ----------
    height, width, channels : that they are brought to
    background : colour that shows through transparent pixels, a name of `frame.GREYS`
    bounds : values of files with more than 8 bits that become 0 and 255; None: 0 and 65,535
    resize, fill, factor : how they are brought to that height and width, see `Frame`
    """

    height: int
    width: int
    channels: int
    background: str = "white"
    bounds: tuple[float, float] | None = None
    resize: str = "stretch"
    fill: str = "edge"
    factor: float | None = None

    @classmethod
    def of(cls, spec: DataSpec) -> Decoder:
        """As [data] says; the scale of resize = "scale" is settled by `sizes.settled_decoder`."""
        return cls(*spec.size, spec.channels, spec.background, spec.range, spec.resize, spec.fill)

    def at_scale(self, factor: float) -> Decoder:
        """The same at so many pixels for a pixel of an image."""
        return dataclasses.replace(self, factor=factor)

    @functools.cached_property
    def frame(self) -> Frame:
        """What the images are brought to."""
        return Frame(self.height, self.width, self.resize, self.fill, self.background, self.factor)

    def __call__(self, file: IO[bytes], where: str) -> Decoded:
        """Decode one file, open for reading.

        Raises
        ------
        UserError
            If it cannot be decoded, whatever the decoder trips over, or declares more pixels than Pillow's limit against
            decompression bombs. `where` is its place in words.
        """
        from PIL import UnidentifiedImageError

        ending = PurePosixPath(where).suffix.lower()
        if ending in (*_ARRAYS, *_DICOM):
            from harness.data.files.decode_arrays import decode_dicom, decode_npy

            return (decode_npy if ending in _ARRAYS else decode_dicom)(self, file, where)
        try:
            with open_picture(file, where) as picture:
                picture.load()
                flat, largest = self._eight_bits(picture)
                upright = _upright(self._bands(flat), picture)
            had = upright.height, upright.width
            pixels = self.frame.picture(upright)
        except Exception as error:  # decoders of damaged files raise whatever they like
            said = str(error) or type(error).__name__
            if isinstance(error, UnidentifiedImageError):  # says it with the file object, whose place is told already
                said = "not an image, or of a format that is not read"
            raise UserError(
                f"{where}: cannot be decoded ({said}). Replace it, take it out of the folder, or add --skip-broken."
            ) from error
        return Decoded(pixels, *had, largest)

    def _bands(self, flat: Any) -> Any:
        """The image with as many channels as are wanted: one (grey), three (RGB), or those that the file has."""
        if self.channels in (1, 3):
            return _opaque(flat, self.background).convert("L" if self.channels == 1 else "RGB")
        bands = flat.getbands()
        if len(bands) != self.channels:
            raise ValueError(f"has {len(bands)} channels ({', '.join(bands)}), data.channels is {self.channels}")
        return flat

    def _eight_bits(self, picture: Any) -> tuple[Any, float | None]:
        """The image with 8 bits a pixel, and the largest value of one that had more (Pillow's own conversion clips at 255)."""
        from PIL import Image

        if not (picture.mode.startswith("I;16") or picture.mode in ("I", "F")):
            return picture, None
        values = np.asarray(picture)
        values = values.astype(np.uint16 if picture.mode.startswith("I;16") else np.float64)
        largest = float(values.max(initial=0))
        if self.bounds is not None:
            low, high = self.bounds
            scaled = np.clip((values.astype(np.float64) - low) / (high - low), 0, 1)
            return Image.fromarray(np.round(255 * np.nan_to_num(scaled)).astype(np.uint8)), largest
        if not picture.mode.startswith("I;16"):
            raise ValueError(
                f"mode {picture.mode}: 32 bits per pixel have no agreed white; say what is black and white: data.range = "
                f"[LOW, HIGH]; the largest value here is {largest:g}"
            )
        return Image.fromarray((values >> 8).astype(np.uint8)), largest


def decode(file: IO[bytes], height: int, width: int, channels: int, where: str) -> np.ndarray:
    """Decode one image to uint8 (height, width, channels) on a white background (see `Decoder`)."""
    return Decoder(height, width, channels)(file, where).pixels


def is_image(name: str) -> bool:
    """Whether a file's name ends as an image's."""
    return name.lower().endswith(ENDINGS)


def ending_of_content(content: bytes) -> str | None:
    """The ending that a file of these bytes would have, by how the commonest formats begin; None of others, of texts that begin alike too."""
    if len(content) < _SMALLEST:
        return None
    if content.startswith(b"BM"):
        return ".bmp" if int.from_bytes(content[2:6], "little") == len(content) else None
    if content.startswith(b"RIFF"):
        return ".webp" if content[8:12] == b"WEBP" else None
    return next((ending for start, ending in _BEGINS.items() if content.startswith(start)), None)


_SMALLEST = 30  # bytes of an image
_BEGINS = {
    b"\xff\xd8\xff": ".jpg",
    b"\x89PNG\r\n\x1a\n": ".png",
    b"GIF87a": ".gif",
    b"GIF89a": ".gif",
    b"II*\x00": ".tif",
    b"MM\x00*": ".tif",
}


def is_dicom(name: str) -> bool:
    """Whether a file's name ends as DICOM's."""
    return name.lower().endswith(_DICOM)


def formats_for(where: str) -> list[str]:
    """Pillow's formats that are tried for a file of this name."""
    ending = PurePosixPath(where).suffix.lower()
    return [name for name, endings in _FORMATS.items() if name not in _BY_ENDING_ONLY or ending in endings]


@contextlib.contextmanager
def open_picture(file: IO[bytes], where: str) -> Iterator[Any]:
    """A Pillow image whose pixels are not decoded yet, of the formats that are read for a file of this name.

    Raises
    ------
    ValueError
        If it declares more pixels than Pillow's limit: Pillow only warns up to twice as many, and warnings are shared by all threads.
    """
    from PIL import Image

    with Image.open(file, formats=formats_for(where)) as picture:
        pixels, limit = picture.width * picture.height, Image.MAX_IMAGE_PIXELS
        if limit and pixels > limit:
            raise ValueError(f"{pixels:,} pixels, more than the limit of {limit:,}")
        yield picture


def _upright(flat: Any, picture: Any) -> Any:
    """Turned as its EXIF says; where that is damaged the pixels are as good as they were."""
    from PIL import Image

    turns = Image.Transpose
    ways = (turns.FLIP_LEFT_RIGHT, turns.ROTATE_180, turns.FLIP_TOP_BOTTOM, turns.TRANSPOSE, turns.ROTATE_270)
    of_orientation = dict(enumerate((*ways, turns.TRANSVERSE, turns.ROTATE_90), start=2))
    turn = of_orientation.get(_orientation(picture))
    return flat if turn is None else flat.transpose(turn)


def _orientation(picture: Any) -> Any:
    try:
        return picture.getexif().get(0x0112, 1)
    except Exception:
        return 1


def lies_on_its_side(picture: Any) -> bool:
    """Whether EXIF says that a picture, whose pixels are not loaded, has its height and width exchanged."""
    # a PNG's EXIF may stand behind its pixels, which Pillow would load to look for it
    return (picture.format != "PNG" or "exif" in picture.info) and _orientation(picture) in (5, 6, 7, 8)


def _opaque(picture: Any, background: str) -> Any:
    """On the background, where anything is transparent: what is drawn in the alpha channel alone would be lost."""
    from PIL import Image

    if not (picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info):
        return picture
    seen = picture.convert("RGBA")
    under = Image.new("RGBA", seen.size, (*[GREYS[background]] * 3, 255))
    return Image.alpha_composite(under, seen)
