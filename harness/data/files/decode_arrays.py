"""One file of numbers to pixels: numpy's .npy, and DICOM by pydicom."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING

import numpy as np

from harness.base.errors import UserError, needs
from harness.base.storage.damage import DAMAGED
from harness.data.files.arrays import read_whole

if TYPE_CHECKING:
    from harness.data.files.decode import Decoded, Decoder

_MOST_BYTES = 1 << 31


def decode_npy(decoder: Decoder, file: IO[bytes], where: str) -> Decoded:
    """An array (H, W), (H, W, C) or (C, H, W) of numbers; other than uint8 and uint16 they need data.range.

    Raises
    ------
    UserError
        If it is no such array, or pickled.
    """
    try:
        array = np.load(io.BytesIO(read_whole(file, _MOST_BYTES)), allow_pickle=False)
    except (OSError, *DAMAGED) as error:
        raise UserError(f"{where}: cannot be read as an array ({error}). Replace it, or add --skip-broken.") from error
    return decode_array(decoder, array, where)


def decode_array(decoder: Decoder, array: np.ndarray, where: str) -> Decoded:
    """As `decode_npy`, of an array that is read already."""
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "uifb":
        raise UserError(f"{where}: holds no array of numbers. Save it with numpy.save as numbers.")
    return _scaled(decoder, _last_axis(array, decoder.channels, where), where)


def decode_dicom(decoder: Decoder, file: IO[bytes], where: str) -> Decoded:
    """The first frame of a DICOM file: rescaled, through its window, MONOCHROME1 turned so that white is bright.

    With data.range the values between its ends count instead of the window.

    Raises
    ------
    UserError
        If pydicom is not installed, or the file cannot be read.
    """
    with needs(f"{where}: a DICOM file", "pydicom"):
        import pydicom
        from pydicom.pixels import apply_modality_lut, apply_voi_lut

    try:
        read = pydicom.dcmread(io.BytesIO(read_whole(file, _MOST_BYTES)))
        values = np.asarray(read.pixel_array)
        values = values[0] if int(getattr(read, "NumberOfFrames", 1) or 1) > 1 else values
        if values.ndim == 2:
            values = np.asarray(apply_modality_lut(values, read), dtype=np.float64)
            if decoder.bounds is None:
                values = np.asarray(apply_voi_lut(values, read), dtype=np.float64)
            turned = str(getattr(read, "PhotometricInterpretation", "")) == "MONOCHROME1"
    except Exception as error:  # decoders of damaged files raise whatever they like
        raise UserError(
            f"{where}: cannot be read as DICOM ({type(error).__name__}: {error}). Replace it, or add --skip-broken."
        ) from error
    if values.ndim == 3:  # colours
        return _scaled(decoder, _grey_or_colours(values, decoder.channels, where), where)
    low, high = decoder.bounds or (float(values.min()), float(values.max()))
    unit = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    grey = np.round(255 * (1 - unit if turned else unit)).astype(np.uint8)
    return _framed(decoder, np.repeat(grey[:, :, None], decoder.channels, axis=2))


def header_of_dicom(file: IO[bytes], where: str) -> tuple[int, int, bool]:
    """Height, width, and whether there are colours, of a DICOM file whose pixels are not decoded.

    Raises
    ------
    UserError
        If pydicom is not installed, or the file is none.
    """
    with needs(f"{where}: a DICOM file", "pydicom"):
        import pydicom
    try:
        read = pydicom.dcmread(io.BytesIO(read_whole(file, _MOST_BYTES)), stop_before_pixels=True)
        return int(read.Rows), int(read.Columns), int(read.get("SamplesPerPixel", 1)) > 1
    except Exception as error:  # decoders of damaged files raise whatever they like
        raise UserError(f"{where}: cannot be read as DICOM ({type(error).__name__}: {error}).") from error


def _last_axis(array: np.ndarray, channels: int, where: str) -> np.ndarray:
    """(H, W, C) of an array with its channels behind or in front."""
    if array.ndim == 2:
        array = np.repeat(array[:, :, None], 3, axis=2) if channels == 3 else array[:, :, None]
    elif array.ndim == 3 and array.shape[2] != channels and array.shape[0] == channels:
        array = np.moveaxis(array, 0, 2)
    if array.ndim != 3 or array.shape[2] != channels or 0 in array.shape:
        raise UserError(
            f"{where}: is {array.shape}, wanted (H, W) or {channels} channels, in front or behind. Correct data.channels in "
            "competition.toml, or the file."
        )
    return array


def _grey_or_colours(values: np.ndarray, channels: int, where: str) -> np.ndarray:
    if channels == 1 and values.shape[2] == 3:
        return np.round(values @ np.array([0.299, 0.587, 0.114])).astype(values.dtype)[:, :, None]
    return _last_axis(values, channels, where)


def _scaled(decoder: Decoder, array: np.ndarray, where: str) -> Decoded:
    """As 8 bits: uint8 as it is, all else from the ends of data.range (uint16: its own)."""
    if array.dtype == np.uint8 and decoder.bounds is None:
        return _framed(decoder, array)
    if decoder.bounds is None and array.dtype != np.uint16:
        finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
        ends = f"; here they are {finite.min():g} to {finite.max():g}" if finite.size else ""
        raise UserError(
            f"{where}: {array.dtype} values have no agreed white; say what is black and white: data.range = [LOW, HIGH] in "
            f"competition.toml{ends}."
        )
    low, high = decoder.bounds or (0.0, 65535.0)
    unit = np.clip((np.nan_to_num(array.astype(np.float64)) - low) / (high - low), 0, 1)
    largest = float(array.max()) if array.dtype.kind in "ui" else None
    return _framed(decoder, np.round(255 * unit).astype(np.uint8), largest)


def _framed(decoder: Decoder, pixels: np.ndarray, largest: float | None = None) -> Decoded:
    """As large as is wanted."""
    from harness.data.files.decode import Decoded

    return Decoded(decoder.frame.pixels(pixels), pixels.shape[0], pixels.shape[1], largest)
