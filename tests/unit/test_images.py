"""What a visitor may upload, and what becomes of it."""

from __future__ import annotations

import base64
import io
import random
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from fer_core import images
from fer_core.errors import ImageDecodeError

RED, GREEN, BLUE, YELLOW = (250, 10, 20), (10, 240, 30), (20, 30, 230), (240, 230, 10)


def quadrants(height: int = 48, width: int = 64) -> np.ndarray:
    """A picture that is different in each corner, so that every flip and turn shows."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = RED
    picture[: height // 2, width // 2 :] = GREEN
    picture[height // 2 :, : width // 2] = BLUE
    picture[height // 2 :, width // 2 :] = YELLOW
    return picture


def textured(height: int = 120, width: int = 160, seed: int = 0) -> np.ndarray:
    """Noise over colours: compresses badly, so that cutting a file cuts pixels."""
    noise = np.random.default_rng(seed).integers(-40, 40, (height, width, 3))
    return np.clip(np.resize(quadrants(height, width), noise.shape).astype(int) + noise, 0, 255).astype(np.uint8)


def encode(picture: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_header(width: int, height: int, bits: int = 8, color: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header)


def png_16(samples: np.ndarray) -> bytes:
    """A 16-bit PNG written by hand: shape (H, W) is grey, (H, W, 3) is RGB."""
    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    header = png_header(width, height, 16, 0 if samples.ndim == 2 else 2)
    return header + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")


def tiff_grey(rows: bytes, width: int, height: int, bits: int, photometric: int, order: str = "<") -> bytes:
    """An uncompressed grey TIFF of one strip, written by hand."""
    entries = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (277, 1), (278, height)]
    longs = [(273, 8), (279, len(rows))]
    directory = b"".join(struct.pack(order + "HHIHH", tag, 3, 1, value, 0) for tag, value in entries)
    directory += b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in longs)
    tags = sorted(directory[i : i + 12] for i in range(0, len(directory), 12))
    tags.sort(key=lambda entry: struct.unpack(order + "H", entry[:2]))
    mark = b"II*\0" if order == "<" else b"MM\0*"
    ifd = struct.pack(order + "H", len(tags)) + b"".join(tags) + bytes(4)
    return mark + struct.pack(order + "I", 8 + len(rows)) + rows + ifd


# --- formats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {"lossless": True}),
        ("GIF", {}),  # four colours fit into its palette
    ],
)
def test_a_lossless_file_comes_back_pixel_for_pixel(kind, options):
    picture = quadrants()
    np.testing.assert_array_equal(images.decode(encode(picture, kind, **options)), picture)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}),
        ("WEBP", {"quality": 95}),
        ("AVIF", {"quality": 95}),
        ("HEIF", {"quality": 95}),
    ],
)
def test_a_lossy_file_comes_back_close_to_the_picture(kind, options):
    picture = quadrants()
    decoded = images.decode(encode(picture, kind, **options))
    assert decoded.shape == picture.shape
    assert np.abs(decoded.astype(int) - picture).mean() < 4


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG", "AVIF"])
def test_an_animation_gives_its_first_frame(kind):
    first, second = quadrants(), np.full((48, 64, 3), 128, np.uint8)
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(first, kind, save_all=True, append_images=[Image.fromarray(second)], **options)
    assert np.abs(images.decode(data).astype(int) - first).mean() < 4


def test_the_array_belongs_to_the_caller():
    decoded = images.decode(encode(quadrants(), "PNG"))
    assert decoded.dtype == np.uint8
    assert decoded.flags.c_contiguous
    assert decoded.flags.owndata
    decoded[:] = 0  # raises on a read-only array


def test_the_picker_offers_exactly_the_formats_that_are_read():
    import pillow_heif

    pillow_heif.register_heif_opener()
    Image.init()
    formats = {extension: Image.registered_extensions()[f".{extension}"] for extension in images.SUPPORTED_EXTENSIONS}
    assert set(formats.values()) == {"JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF", "BMP", "TIFF"}
    for kind in set(formats.values()):
        assert images.decode(encode(quadrants(), kind)).shape == (48, 64, 3)


# --- orientation -----------------------------------------------------------------------------------------------------

UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),  # a quarter turn clockwise
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", sorted(UPRIGHT))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_each_exif_orientation_is_turned_upright(kind, orientation):
    stored = quadrants()
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    decoded = images.decode(encode(stored, kind, exif=exif, **options))
    expected = UPRIGHT[orientation](stored)
    assert decoded.shape == expected.shape
    assert np.abs(decoded.astype(int) - expected).mean() < 4


def test_a_turned_heic_photo_is_upright():
    stored = quadrants()
    exif = Image.Exif()
    exif[0x0112] = 6
    decoded = images.decode(encode(stored, "HEIF", quality=95, exif=exif.tobytes()))
    assert np.abs(decoded.astype(int) - UPRIGHT[6](stored)).mean() < 4


def test_damaged_exif_data_does_not_cost_the_picture():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(quadrants(), "JPEG", quality=95, exif=exif)
    start = data.index(b"Exif\0\0") + 6
    broken = data[:start] + b"\xff" * 12 + data[start + 12 :]
    assert images.decode(broken).shape == (48, 64, 3)


# --- transparency ----------------------------------------------------------------------------------------------------


def test_alpha_is_composed_on_white():
    # c * a + 255 * (1 - a) with a = 128/255: 200 -> 227.4, 100 -> 177.2, 0 -> 127
    rgba = np.empty((16, 24, 4), np.uint8)
    rgba[:, :8] = (200, 100, 0, 255)
    rgba[:, 8:16] = (200, 100, 0, 128)
    rgba[:, 16:] = (200, 100, 0, 0)
    decoded = images.decode(encode(rgba, "PNG"))
    assert decoded[0, 0].tolist() == [200, 100, 0]
    assert decoded[0, 8].tolist() == [227, 177, 127]
    assert decoded[0, 16].tolist() == [255, 255, 255]


def test_grey_with_alpha_is_composed_on_white():
    grey, alpha = np.full((16, 16), 100, np.uint8), np.full((16, 16), 255, np.uint8)
    alpha[:, 8:] = 128
    decoded = images.decode(encode(Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)]), "PNG"))
    assert decoded[0, 0].tolist() == [100, 100, 100]
    assert decoded[0, 8].tolist() == [177, 177, 177]


def test_a_transparent_palette_colour_is_white():
    indices = np.zeros((16, 16), np.uint8)
    indices[:, 8:] = 1
    image = Image.fromarray(indices).convert("P")
    image.putpalette([10, 20, 30, 200, 0, 0])
    for kind in ("PNG", "GIF"):
        decoded = images.decode(encode(image, kind, transparency=0))
        assert decoded[0, 0].tolist() == [255, 255, 255]
        assert decoded[0, 8].tolist() == [200, 0, 0]


@pytest.mark.parametrize(("mode", "key"), [("RGB", (10, 20, 30)), ("L", 10)])
def test_a_colour_declared_transparent_is_white(mode, key):
    image = Image.new(mode, (16, 16), (1, 2, 3) if mode == "RGB" else 77)
    image.paste(key, (0, 0, 8, 16))
    decoded = images.decode(encode(image, "PNG", transparency=key))
    assert decoded[0, 0].tolist() == [255, 255, 255]
    assert decoded[0, 8].tolist() == ([1, 2, 3] if mode == "RGB" else [77, 77, 77])


def test_hidden_colours_do_not_bleed_when_a_transparent_picture_is_scaled_down():
    rgba = np.zeros((64, 64, 4), np.uint8)  # black, but invisible
    rgba[16:48, 16:48] = (250, 0, 0, 255)
    decoded = images.decode(encode(rgba, "PNG"), max_side=20)
    # On the way from red to white green and blue rise together, and red never falls below the square's own.
    assert decoded[..., 0].min() >= 249


# --- bit depths and colour models ------------------------------------------------------------------------------------

# value / 257, rounded: 128/257 = 0.498 -> 0, 129/257 = 0.502 -> 1, 32768/257 = 127.502 -> 128
DEEP = {0: 0, 128: 0, 129: 1, 257: 1, 2570: 10, 32768: 128, 65278: 254, 65535: 255}


def deep_row() -> np.ndarray:
    return np.tile(np.array(list(DEEP), np.uint16), (8, 1))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png_16(deep_row()), id="png"),
        pytest.param(tiff_grey(deep_row().astype("<u2").tobytes(), 8, 8, 16, 1, "<"), id="tiff-little-endian"),
        pytest.param(tiff_grey(deep_row().astype(">u2").tobytes(), 8, 8, 16, 1, ">"), id="tiff-big-endian"),
    ],
)
def test_sixteen_bit_grey_is_scaled_and_not_clipped(data):
    decoded = images.decode(data)
    assert decoded[0, :, 0].tolist() == list(DEEP.values())
    assert (decoded == decoded[..., :1]).all()


def test_sixteen_bit_colour_is_scaled_and_not_clipped():
    samples = np.zeros((8, 8, 3), np.uint16)
    samples[..., 0], samples[..., 1] = 65535, 32768
    assert images.decode(png_16(samples))[0, 0].tolist() == [255, 128, 0]


def test_a_tiff_whose_zero_is_white_is_not_shown_as_a_negative():
    rows = deep_row().astype("<u2").tobytes()
    decoded = images.decode(tiff_grey(rows, 8, 8, 16, 0))
    assert decoded[0, :, 0].tolist() == [255 - value for value in DEEP.values()]


def test_twelve_bit_grey_uses_its_own_range():
    # Two samples in three bytes: 0x000 0xFFF, and 0x800 = 2048 -> 2048 * 255 / 4095 = 127.5 -> 128
    rows = bytes.fromhex("000fff 800fff 000fff 800fff".replace(" ", "")) * 8
    decoded = images.decode(tiff_grey(rows, 8, 8, 12, 1))
    assert decoded[0, :4, 0].tolist() == [0, 255, 128, 255]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0, 32768, 65535], np.int32), [0, 128, 255]),
        (np.array([-5, 0, 1_000_000], np.int32), [0, 0, 255]),
        (np.array([0.0, 0.5, 1.0], np.float32), [0, 128, 255]),
        (np.array([0.0, 100.0, 255.0], np.float32), [0, 100, 255]),
        (np.array([np.nan, 0.2, 1.0], np.float32), [0, 51, 255]),
    ],
)
def test_wide_integers_and_floats_are_scaled(values, expected):
    data = encode(Image.fromarray(np.repeat(np.tile(values, (12, 1)), 4, axis=1)), "TIFF")
    assert images.decode(data)[0, ::4, 0].tolist() == expected


def test_a_bilevel_picture_is_black_and_white():
    bits = np.zeros((16, 16), bool)
    bits[:, 8:] = True
    decoded = images.decode(encode(Image.fromarray(bits), "PNG"))
    assert decoded[0, 7].tolist() == [0, 0, 0]
    assert decoded[0, 8].tolist() == [255, 255, 255]


@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
def test_cmyk_becomes_rgb(kind):
    # no ink is white; full magenta and yellow is red; full black is black
    image = Image.new("CMYK", (48, 16), (0, 0, 0, 0))
    image.paste((0, 255, 255, 0), (16, 0, 32, 16))
    image.paste((0, 0, 0, 255), (32, 0, 48, 16))
    decoded = images.decode(encode(image, kind)).astype(int)
    for x, expected in ((4, (255, 255, 255)), (24, (255, 0, 0)), (44, (0, 0, 0))):
        assert np.abs(decoded[8, x] - expected).max() <= 6


def test_a_grey_photo_has_three_equal_channels():
    grey = np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))
    decoded = images.decode(encode(grey, "PNG"))
    np.testing.assert_array_equal(decoded, np.repeat(grey[..., None], 3, axis=2))


# --- size ------------------------------------------------------------------------------------------------------------


def test_an_hd_photo_keeps_its_size():
    picture = textured(720, 1280)
    np.testing.assert_array_equal(images.decode(encode(picture, "PNG")), picture)


def test_a_huge_photo_is_scaled_down_in_proportion():
    decoded = images.decode(encode(quadrants(960, 1280), "PNG"), max_side=320)
    assert decoded.shape == (240, 320, 3)
    np.testing.assert_array_equal(decoded[10, 10], RED)
    np.testing.assert_array_equal(decoded[-10, -10], YELLOW)


def test_a_side_of_more_than_4096_pixels_is_scaled_down_by_default():
    assert images.decode(encode(Image.new("L", (8192, 400)), "PNG")).shape == (200, 4096, 3)


def test_the_pixel_limit_is_inclusive():
    data = encode(quadrants(48, 64), "PNG")
    assert images.decode(data, max_pixels=48 * 64).shape == (48, 64, 3)
    with pytest.raises(ImageDecodeError, match="64 x 48 pixels"):
        images.decode(data, max_pixels=48 * 64 - 1)


def webp_header(width: int, height: int) -> bytes:
    body = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunk = b"VP8X" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(png_header(9000, 9000) + png_chunk(b"IDAT", b"x"), id="png"),
        pytest.param(
            b"GIF89a"
            + struct.pack("<HHBBB", 9000, 9000, 0, 0, 0)
            + b","
            + struct.pack("<HHHHBB", 0, 0, 9000, 9000, 0, 8),
            id="gif",
        ),
        pytest.param(
            b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, 9000, 9000, 1, 24, *[0] * 6),
            id="bmp",
        ),
        pytest.param(webp_header(9000, 9000), id="webp"),
        pytest.param(tiff_grey(b"", 9000, 9000, 8, 1), id="tiff"),
        pytest.param(
            b"\xff\xd8\xff\xc0"
            + struct.pack(">HBHHB", 17, 8, 9000, 9000, 3)
            + bytes([1, 17, 0, 2, 17, 0, 3, 17, 0])
            # a scan must follow for the header to be complete
            + b"\xff\xda"
            + struct.pack(">H", 12)
            + bytes([3, 1, 0, 2, 0, 3, 0, 0, 63, 0]),
            id="jpeg",
        ),
    ],
)
def test_too_many_pixels_are_refused_by_the_header_alone(header):
    # There are no pixels at all: whoever tried to decode them would call the file damaged.
    with pytest.raises(ImageDecodeError, match=r"9000 x 9000 pixels \(81\.0 megapixels\); at most 25 megapixels"):
        images.decode(header)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [12_000, 30_000])
def test_a_decompression_bomb_is_refused(side):
    # 12000 x 12000 makes Pillow warn, 30000 x 30000 makes it raise
    row = zlib.compressobj()
    pixels = row.compress(bytes(1 + 3 * side)) + row.flush()
    bomb = png_header(side, side) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")
    with pytest.raises(ImageDecodeError, match="25 megapixels"):
        images.decode(bomb)


@pytest.mark.parametrize("size", [(1, 1), (7, 100), (100, 7)])
def test_a_picture_of_a_few_pixels_is_refused(size):
    with pytest.raises(ImageDecodeError, match=f"only {size[0]} x {size[1]} pixels"):
        images.decode(encode(Image.new("RGB", size), "PNG"))


def test_a_picture_without_pixels_is_refused():
    with pytest.raises(ImageDecodeError):
        images.decode(png_header(0, 0) + png_chunk(b"IDAT", zlib.compress(b"")) + png_chunk(b"IEND", b""))


def test_a_strip_is_refused():
    with pytest.raises(ImageDecodeError, match="20000 x 10 pixels: a strip"):
        images.decode(encode(Image.new("RGB", (20_000, 10)), "PNG"))


# --- other files -----------------------------------------------------------------------------------------------------


def zip_file(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "content")
    return out.getvalue()


def box(kind: bytes, brand: bytes, *compatible: bytes) -> bytes:
    body = brand + bytes(4) + b"".join(compatible)
    return struct.pack(">I", 8 + len(body)) + kind + body + bytes(64)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(zip_file("a.txt"), "zip archive", id="zip"),
        pytest.param(zip_file(), "empty zip archive", id="empty-zip"),
        pytest.param(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF", id="pdf"),
        pytest.param(box(b"ftyp", b"isom", b"mp41"), "video", id="mp4"),
        pytest.param(box(b"ftyp", b"qt  "), "video", id="quicktime"),
        pytest.param(b"\x1a\x45\xdf\xa3" + bytes(32), "video", id="webm"),
        pytest.param(b"RIFF\x24\0\0\0AVI LIST", "video", id="avi"),
        pytest.param(b"RIFF\x24\0\0\0WAVEfmt ", "sound", id="wav"),
        pytest.param(b"<!DOCTYPE html><html><body>Not found</body></html>", "web page", id="html"),
        pytest.param(b"\xef\xbb\xbf\r\n  <HTML>", "web page", id="html-with-bom"),
        pytest.param(b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG", id="svg"),
        pytest.param("emotion,pixels\n0,70 80 ü".encode(), "text file", id="csv"),
        pytest.param("grün".encode("utf-16"), "text file", id="utf-16"),
        pytest.param(b"BMW is a text, not a bitmap", "text file", id="text-like-a-bitmap"),
        pytest.param(("x" * 2047 + "ü" * 10).encode(), "text file", id="text-cut-inside-a-character"),
        pytest.param(b"8BPS\0\x01", "Photoshop", id="psd"),
        pytest.param(b"\xff\x0a\xfa\x7f", "JPEG XL", id="jpeg-xl"),
        pytest.param(b"\x7fELF\x02\x01", "program", id="program"),
        pytest.param(bytes(range(256)) * 4, "not a picture that can be read", id="unknown-bytes"),
        pytest.param(bytes(5000), "not a picture that can be read", id="zeros"),
    ],
)
def test_a_file_that_is_no_photo_is_called_by_what_it_is(data, words):
    with pytest.raises(ImageDecodeError, match=words) as caught:
        images.decode(data)
    message = str(caught.value)
    assert message[0].isupper()
    assert message.endswith(".")


def test_the_message_for_a_foreign_file_names_what_can_be_sent():
    with pytest.raises(ImageDecodeError, match="JPEG, PNG, WebP, AVIF, HEIC, GIF, BMP and TIFF"):
        images.decode(zip_file("photo.jpg"))


# --- damaged files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("AVIF", {}),
        ("HEIF", {}),
        ("GIF", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_a_file_cut_off_is_refused_and_never_shown_in_part(kind, options, share):
    data = encode(textured(), kind, **options)
    assert images.decode(data).shape == (120, 160, 3)
    with pytest.raises(ImageDecodeError, match=r"damaged or cut off\. Save or download it again"):
        images.decode(data[: int(len(data) * share)])


def test_a_cut_jpeg_filled_up_with_zeros_is_refused():
    data = encode(textured(), "JPEG")
    half = data[: len(data) // 2]
    with pytest.raises(ImageDecodeError, match="damaged or cut off"):
        images.decode(half + bytes(len(data) - len(half)))
    assert images.decode(data + bytes(4096)).shape == (120, 160, 3)  # padding after the end is harmless


@pytest.mark.parametrize(
    "signature", [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"RIFF\0\0\0\0WEBP", b"BM"]
)
def test_a_signature_alone_is_a_damaged_picture(signature):
    with pytest.raises(ImageDecodeError, match="damaged or cut off"):
        images.decode(signature)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF", "BMP", "TIFF"])
def test_random_damage_never_raises_anything_else(kind):
    data = encode(textured(32, 40), kind)
    dice = random.Random(kind)
    refused = 0
    for _ in range(60):
        broken = bytearray(data)
        for _ in range(dice.randint(1, 10)):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        try:
            decoded = images.decode(bytes(broken))
        except ImageDecodeError:
            refused += 1
        else:
            assert decoded.ndim == 3
            assert decoded.dtype == np.uint8
    assert refused > 0 or kind in ("BMP", "GIF", "TIFF")  # those have no check sums: most damage is only a wrong pixel


# --- back to bytes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("picture", [quadrants(), quadrants()[..., 0], quadrants()[::2, ::-1]])
def test_a_picture_encoded_as_png_comes_back(picture):
    decoded = images.decode(images.encode_png(picture))
    expected = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    np.testing.assert_array_equal(decoded, expected)


def test_a_data_uri_holds_the_picture():
    picture = quadrants()
    head, _, body = images.data_uri(picture).partition(",")
    assert head == "data:image/png;base64"
    np.testing.assert_array_equal(images.decode(base64.b64decode(body)), picture)
    head, _, body = images.data_uri(picture, "jpeg").partition(",")
    assert head == "data:image/jpeg;base64"
    assert np.abs(images.decode(base64.b64decode(body)).astype(int) - picture).mean() < 15


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 4), np.float32), np.zeros((4, 4, 4), np.uint8), np.zeros(4, np.uint8), np.zeros((0, 4), np.uint8)],
)
def test_only_pictures_are_encoded(array):
    with pytest.raises(ValueError, match="A picture is uint8"):
        images.encode_png(array)


def test_a_data_uri_is_png_or_jpeg():
    with pytest.raises(ValueError, match="'png' or 'jpeg'"):
        images.data_uri(quadrants(), "bmp")  # type: ignore[arg-type]


# --- weight ----------------------------------------------------------------------------------------------------------


def test_a_jpeg_is_decoded_without_the_other_decoders(tmp_path):
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(encode(quadrants(), "JPEG"))
    script = (
        "import sys; from fer_core import images\n"
        "assert 'PIL' not in sys.modules\n"
        "images.decode(open(sys.argv[1], 'rb').read())\n"
        "print(*[m for m in ('cv2', 'pillow_heif', 'pandas', 'PIL.TiffImagePlugin', 'PIL.AvifImagePlugin')"
        " if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script, str(photo)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
