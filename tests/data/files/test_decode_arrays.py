"""Arrays and DICOM files as images, and files with other channels than grey and colours."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from harness.base.errors import UserError
from harness.data.files.decode import Decoder
from harness.data.files.frame import Frame


def saved(array: np.ndarray) -> io.BytesIO:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    buffer.seek(0)
    return buffer


def test_channels_in_front_and_behind_are_the_same():
    array = np.arange(2 * 5 * 6, dtype=np.uint8).reshape(5, 6, 2)
    one = Decoder(5, 6, 2)(saved(array), "a.npy").pixels
    other = Decoder(5, 6, 2)(saved(np.moveaxis(array, 2, 0)), "a.npy").pixels
    np.testing.assert_array_equal(one, array)
    np.testing.assert_array_equal(other, array)


def test_floats_need_a_range_and_are_scaled_by_it():
    array = np.array([[-1.0, 0.0], [1.0, np.nan]], dtype=np.float32)
    with pytest.raises(UserError, match=r"float32 values have no agreed white.*here they are -1 to 1"):
        Decoder(2, 2, 1)(saved(array), "a.npy")
    found = Decoder(2, 2, 1, bounds=(-1.0, 1.0))(saved(array), "a.npy").pixels[:, :, 0]
    assert found.tolist() == [[0, 128], [255, 128]]


def test_a_grey_array_becomes_colours_where_they_are_wanted():
    assert Decoder(3, 3, 3)(saved(np.eye(3, dtype=np.uint8)), "a.npy").pixels.shape == (3, 3, 3)


def test_another_size_is_reached_channel_by_channel():
    array = np.zeros((8, 8, 4), dtype=np.uint8)
    array[..., 3] = 200
    found = Decoder(4, 2, 4)(saved(array), "a.npy")
    assert found.pixels.shape == (4, 2, 4) and (found.height, found.width) == (8, 8)
    assert found.pixels[..., 3].min() == 200 and found.pixels[..., :3].max() == 0


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((4, 4, 5), np.uint8), "wanted (H, W) or 3 channels"),
        (np.array([{"a": 1}], dtype=object), "cannot be read as an array"),
        (np.array(["text"]), "holds no array of numbers"),
    ],
)
def test_arrays_that_are_no_images_are_told(array: np.ndarray, said: str):
    with pytest.raises(UserError) as error:
        Decoder(4, 4, 3)(saved(array), "a.npy")
    assert said in str(error.value)


def test_an_image_with_the_channels_that_are_asked_for_keeps_them():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 5, 4), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(buffer, "PNG")
    np.testing.assert_array_equal(Decoder(5, 5, 4)(buffer, "a.png").pixels, pixels)
    with pytest.raises(UserError, match=r"has 4 channels \(R, G, B, A\), data.channels is 2"):
        Decoder(5, 5, 2)(buffer, "a.png")


def test_dicom_files_need_pydicom_or_are_read(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    values = (np.arange(16, dtype=np.uint16) * 100).reshape(4, 4)
    made = Dataset()
    made.file_meta, made.preamble = FileMetaDataset(), bytes(128)
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.Rows, made.Columns, made.BitsAllocated, made.BitsStored, made.HighBit = 4, 4, 16, 16, 15
    made.SamplesPerPixel, made.PixelRepresentation = 1, 0
    made.PhotometricInterpretation = "MONOCHROME1"
    made.PixelData = values.tobytes()
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, made, enforce_file_format=False)
    buffer.seek(0)
    found = Decoder(4, 4, 1)(buffer, "a.dcm").pixels[:, :, 0]
    assert found[0, 0] == 255 and found[3, 3] == 0  # MONOCHROME1: large values are dark
    buffer.seek(0)
    np.testing.assert_array_equal(Decoder(4, 8, 1, resize="fit")(buffer, "a.dcm").pixels[:, 2:6, 0], found)


@pytest.mark.parametrize("resize", ["fit", "cover", "scale"])
def test_arrays_and_deep_images_meet_the_frame_as_others_do(resize: str):
    """uint8, uint16 and floats by data.range, in front and behind, PNG of 16 bits: after they have 8 bits, the frame's own pixels."""
    eight = np.random.default_rng(0).integers(0, 256, (9, 30, 2), dtype=np.uint8)
    frame = Frame(8, 8, resize, "reflect", factor=0.2)
    wanted = frame.pixels(eight)
    decoder = Decoder(8, 8, 2, bounds=(0, 255), resize=resize, fill="reflect", factor=0.2)
    for array in (eight, eight.astype(np.uint16), eight.astype(np.float32), np.moveaxis(eight, 2, 0)):
        found = decoder(saved(array), "a.npy")
        np.testing.assert_array_equal(found.pixels, wanted)
        assert (found.height, found.width) == (9, 30)
    buffer = io.BytesIO()
    Image.fromarray(eight[:, :, 0].astype(np.uint16)).save(buffer, "PNG")
    buffer.seek(0)
    one = dataclasses.replace(decoder, channels=1)
    np.testing.assert_array_equal(one(buffer, "a.png").pixels, wanted[:, :, :1])
