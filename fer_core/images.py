"""Bytes of an uploaded file to an RGB array, and arrays back to bytes that a page can show.

The first bytes decide what a file is, never its name: a picture goes only to the decoder of its own format, anything
else is refused with a sentence that says what it is. The size in the header is checked before a pixel is decoded.
"""

from __future__ import annotations

import base64
import importlib
import io
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from fer_core.errors import ImageDecodeError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

SUPPORTED_EXTENSIONS: Final = (
    "jpg",
    "jpeg",
    "jfif",
    "png",
    "webp",
    "avif",
    "heic",
    "heif",
    "gif",
    "bmp",
    "tif",
    "tiff",
)
"""File name extensions of the formats that :func:`decode` reads, without the dot, as a file picker wants them."""

MAX_PIXELS: Final = 25_000_000
"""Pictures with more pixels are refused: 25 megapixels are 75 MB once decoded."""

MAX_SIDE: Final = 4096
"""Longer pictures are scaled down to this many pixels on their longer side. Phone photos of 12 megapixels (4032 px)
stay as they are, and a face at the back of a large group keeps more pixels than the input of a network has."""

MIN_SIDE: Final = 8
"""Pictures with a shorter side (px) hold no face that could be told from noise: FER2013 itself has 48 pixels."""

MAX_ASPECT: Final = 25.0
"""A picture that is longer than this many times its width is a line or a damaged header, not a photo."""

_FORMATS: Final = "JPEG, PNG, WebP, AVIF, HEIC, GIF, BMP and TIFF"

# Plugin modules of Pillow, imported one at a time: importing all of them costs more than decoding a photo.
_PLUGINS: Final = {
    "JPEG": "PIL.JpegImagePlugin",
    "PNG": "PIL.PngImagePlugin",
    "WEBP": "PIL.WebPImagePlugin",
    "AVIF": "PIL.AvifImagePlugin",
    "GIF": "PIL.GifImagePlugin",
    "BMP": "PIL.BmpImagePlugin",
    "TIFF": "PIL.TiffImagePlugin",
}

_SIGNATURES: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)

_HEIF_BRANDS: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")

_FOREIGN: Final[tuple[tuple[bytes, str], ...]] = (
    (b"PK\x03\x04", "a zip archive (or an Office document)"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"%PDF-", "a PDF document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document"),
    (b"\x1a\x45\xdf\xa3", "a video (Matroska or WebM)"),
    (b"FLV\x01", "a video (Flash)"),
    (b"\0\0\x01\xba", "a video (MPEG)"),
    (b"\0\0\x01\xb3", "a video (MPEG)"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a video or sound (Windows Media)"),
    (b"OggS", "a video or sound (Ogg)"),
    (b"ID3", "a sound (MP3)"),
    (b"fLaC", "a sound (FLAC)"),
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\x00\x0cJXL \r\n\x87\n", "a JPEG XL picture, a format that is not read here"),
    (b"\xff\x0a", "a JPEG XL picture, a format that is not read here"),
    (b"\0\0\x00\x0cjP  \r\n\x87\n", "a JPEG 2000 picture, a format that is not read here"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS, max_side: int = MAX_SIDE) -> NDArray[np.uint8]:
    """Decode a picture as a visitor sees it: upright, in colour, on white where it is transparent.

    Reads JPEG, PNG, WebP, AVIF, HEIC, GIF, BMP and TIFF; of an animation or a multi-page file the first frame. The
    EXIF orientation is applied. Colour profiles are not: the networks look at grey, where the difference is small.
    Samples of more than 8 bits are scaled over their full range: 0-65535 (16 bits), 0-4095 (12 bits of a TIFF).
    Wider integers and floats have no agreed range and are scaled by their largest value where it exceeds 65535 or 1.

    Parameters
    ----------
    data
        Content of the file.
    max_pixels
        Largest width x height in the header that is decoded at all.
    max_side
        A picture with a longer side (px) is scaled down to it, the aspect kept.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
        RGB, C-contiguous, owned by the caller.

    Raises
    ------
    ImageDecodeError
        If the file is empty, cut off or damaged, is no picture or of an unsupported format, has too many pixels, or is
        too small or too narrow to be a photo.
    """
    data = bytes(data)
    kind = _identify(data)
    if kind == "WEBP":
        # Pillow's WebP reader reserves memory for the whole canvas while opening, before a size can be asked for.
        _check_size(_webp_size(data), max_pixels)
    if kind == "JPEG" and _ends_in_zeros(data):
        raise _damaged(kind)

    _import_decoder(kind)
    from PIL import Image as image_module

    try:
        with image_module.open(io.BytesIO(data), formats=(kind,)) as image:
            _check_size(image.size, max_pixels)
            image.load()
            upright = _shrink(_eight_bits(_upright(image)), max_side)
            array = np.array(_on_white(upright), dtype=np.uint8)
    except ImageDecodeError:
        raise
    except (image_module.DecompressionBombError, image_module.DecompressionBombWarning):
        raise ImageDecodeError(
            f"The picture is larger than the {max_pixels / 1e6:g} megapixels accepted here. {_SCALE_DOWN}"
        ) from None
    except MemoryError:
        raise ImageDecodeError("There is not enough memory to read this picture. Try a smaller one.") from None
    except Exception as error:
        # Damaged files make the decoders raise nearly anything (OSError, SyntaxError, struct.error, IndexError, …).
        raise _damaged(kind) from error
    return array


def encode_png(array: NDArray[np.uint8]) -> bytes:
    """Encode a picture without loss.

    Parameters
    ----------
    array : ndarray of shape (H, W) or (H, W, 3), uint8
        Grey or RGB.

    Raises
    ------
    ValueError
        If the array is of another shape or dtype.
    """
    return _encode(array, "PNG", compress_level=3)


def encode_jpeg(array: NDArray[np.uint8], *, quality: int = 88) -> bytes:
    """Encode a picture with loss, for large photos on a page.

    Parameters
    ----------
    array : ndarray of shape (H, W) or (H, W, 3), uint8
        Grey or RGB.
    quality
        JPEG quality, 1 to 95.

    Raises
    ------
    ValueError
        If the array is of another shape or dtype.
    """
    return _encode(array, "JPEG", quality=quality)


def data_uri(array: NDArray[np.uint8], format: Literal["png", "jpeg"] = "png") -> str:
    """Return a picture as a ``data:`` URI, for the ``src`` of an ``<img>``.

    Parameters
    ----------
    array : ndarray of shape (H, W) or (H, W, 3), uint8
        Grey or RGB.
    format
        ``"png"`` (exact, for crops and thumbnails) or ``"jpeg"`` (small, for photos).

    Raises
    ------
    ValueError
        If the array is of another shape or dtype, or the format is neither.
    """
    if format not in ("png", "jpeg"):
        raise ValueError(f"format is {format!r}; it must be 'png' or 'jpeg'.")
    data = encode_png(array) if format == "png" else encode_jpeg(array)
    return f"data:image/{format};base64,{base64.b64encode(data).decode('ascii')}"


_SCALE_DOWN: Final = "Scale it down and try again."


def _identify(data: bytes) -> str:
    """Return the format by its first bytes: a key of ``_PLUGINS`` or ``"HEIF"``; refuse everything else."""
    if not data:
        raise ImageDecodeError("The file is empty (0 bytes). Choose the picture again.")
    for signature, name in _SIGNATURES:
        if data.startswith(signature):
            return name
    for signature, what in _FOREIGN:
        if data.startswith(signature):
            raise _not_a_picture(what)
    if data[:4] == b"RIFF":
        if data[8:12] == b"WEBP":
            return "WEBP"
        raise _not_a_picture({b"AVI ": "a video (AVI)", b"WAVE": "a sound (WAV)"}.get(data[8:12], "a RIFF container"))
    if data[4:8] == b"ftyp":
        return _identify_iso_container(data)
    # "BM" alone is a likely start of a text; a bitmap goes on with the size of its header (12 to 124 bytes).
    if data[:2] == b"BM" and data[15:18] == b"\0\0\0" and 12 <= data[14] <= 124:
        return "BMP"
    if data[:2] == b"BM" and len(data) < 18:
        raise _damaged("BMP")
    if data[257:262] == b"ustar":
        raise _not_a_picture("a tar archive")
    text = _as_text(data)
    if text is not None:
        start = text.lstrip("\ufeff \t\r\n").lower()
        if "<svg" in start:
            raise _not_a_picture("an SVG drawing")
        if start.startswith(("<!doctype html", "<html", "<head", "<body")):
            raise _not_a_picture("a web page (HTML)")
        raise _not_a_picture("a text file")
    raise _unknown()


def _identify_iso_container(data: bytes) -> str:
    """Tell AVIF, HEIF and videos apart: they share the container of ISO 14496-12 and name themselves in ``ftyp``."""
    length = min(int.from_bytes(data[:4], "big"), 256)
    major, compatible = data[8:12], [data[i : i + 4] for i in range(16, max(length, 16), 4)]
    if major in (b"avif", b"avis") or (major in (b"mif1", b"msf1") and b"avif" in compatible):
        return "AVIF"
    if major in _HEIF_BRANDS:
        return "HEIF"
    if len(major) < 4:
        raise _unknown()
    if major == b"crx ":
        raise _not_a_picture("a raw photo of a camera")
    if major.startswith((b"M4A", b"M4B")):
        raise _not_a_picture("a sound (MPEG-4)")
    raise _not_a_picture("a video (MP4 or QuickTime)")


def _as_text(data: bytes) -> str | None:
    """Return the start of the file as text, or None if it is not text in UTF-8 or UTF-16."""
    head = data[:2048]
    encodings = ["utf-16"] if head[:2] in (b"\xff\xfe", b"\xfe\xff") else ["utf-8"]
    for encoding in encodings:
        # A character may be cut in two at the end of the piece.
        for cut in range(4):
            try:
                text = head[: len(head) - cut].decode(encoding)
            except UnicodeDecodeError:
                continue
            control = sum(character < " " and character not in "\t\n\r\f" for character in text)
            return text if text and control == 0 else None
    return None


def _not_a_picture(what: str) -> ImageDecodeError:
    return ImageDecodeError(f"This file is {what}, not a photo, whatever its name says. Photos may be {_FORMATS}.")


def _unknown() -> ImageDecodeError:
    return ImageDecodeError(f"This file is not a picture that can be read here. Photos may be {_FORMATS}.")


def _damaged(kind: str) -> ImageDecodeError:
    name = {"WEBP": "WebP", "HEIF": "HEIC"}.get(kind, kind)
    return ImageDecodeError(f"The {name} picture is damaged or cut off. Save or download it again, and retry.")


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ImageDecodeError(
            f"The picture has {width} x {height} pixels ({width * height / 1e6:.1f} megapixels); "
            f"at most {max_pixels / 1e6:g} megapixels are accepted. {_SCALE_DOWN}"
        )
    if min(width, height) < MIN_SIDE:
        raise ImageDecodeError(
            f"The picture has only {width} x {height} pixels; at least {MIN_SIDE} each way are needed to see a face."
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageDecodeError(
            f"The picture has {width} x {height} pixels: a strip too narrow for a photo of a face. Crop it first."
        )


def _ends_in_zeros(data: bytes) -> bool:
    """Tell whether a JPEG was cut off and filled up with zeros, as an interrupted copy leaves it.

    The decoder takes the zeros for picture data and paints the rest grey without a word.
    """
    return data.endswith(bytes(1024)) and not data.rstrip(b"\0").endswith(b"\xff\xd9")


def _webp_size(data: bytes) -> tuple[int, int]:
    """Return the width and height (px) in the header of a WebP file (RFC 9649)."""
    chunk, body = data[12:16], data[20:30]
    if len(body) < 10:
        raise _damaged("WEBP")
    if chunk == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk == b"VP8 ":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    raise _damaged("WEBP")


def _import_decoder(kind: str) -> None:
    """Import the one decoder that is needed."""
    if kind == "HEIF":
        try:
            import pillow_heif
        except ImportError:
            raise ImageDecodeError(
                "HEIC photos need the package pillow-heif, which is not installed here. Send the photo as JPEG."
            ) from None
        pillow_heif.register_heif_opener()
    else:
        importlib.import_module(_PLUGINS[kind])


def _upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation. Damaged EXIF data is ignored: the picture itself may be fine."""
    from PIL import ImageOps

    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:  # EXIF is parsed from arbitrary bytes
        return image
    return image


def _eight_bits(image: Image.Image) -> Image.Image:
    """Bring any mode to ``L``, ``RGB`` or ``RGBA`` (8 bits a sample, alpha not premultiplied)."""
    from PIL import Image as image_module

    if image.mode.startswith("I") or image.mode == "F":
        return image_module.fromarray(_scale_deep(image))
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _scale_deep(image: Image.Image) -> NDArray[np.uint8]:
    """Scale grey of 12, 16 or 32 bits or floats to 8 bits; Pillow's own ``convert`` clips at 255 instead."""
    values = np.nan_to_num(np.asarray(image).astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    tags = getattr(image, "tag_v2", {})
    if image.mode.startswith("I;"):
        top = float(2 ** tags.get(258, (16,))[0] - 1)  # 258: BitsPerSample
    else:
        usual = 1.0 if image.mode == "F" else 65535.0
        top = max(usual, float(values.max()))
    scaled: NDArray[np.uint8] = np.rint(values * (255.0 / top)).clip(0, 255).astype(np.uint8)
    if tags.get(262) == 0:  # PhotometricInterpretation: zero is white; Pillow turns only 8-bit TIFFs around
        scaled = np.subtract(255, scaled, dtype=np.uint8)
    if isinstance(transparent := image.info.get("transparency"), int):
        scaled[values == transparent] = 255
    return scaled


def _shrink(image: Image.Image, max_side: int) -> Image.Image:
    if max(image.size) > max_side:
        # thumbnail() scales colours weighted by alpha, so that hidden colours do not bleed into the edges.
        image.thumbnail((max_side, max_side))
    return image


def _on_white(image: Image.Image) -> Image.Image:
    from PIL import Image as image_module

    if image.mode != "RGBA":
        return image.convert("RGB")
    page = image_module.new("RGB", image.size, "white")
    page.paste(image, mask=image.getchannel("A"))
    return page


def _encode(array: NDArray[np.uint8], kind: str, **options: int) -> bytes:
    from PIL import Image as image_module

    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)) or not array.size:
        raise ValueError(f"A picture is uint8 of shape (H, W) or (H, W, 3), not {array.dtype} of shape {array.shape}.")
    importlib.import_module(_PLUGINS[kind])
    out = io.BytesIO()
    image_module.fromarray(np.ascontiguousarray(array)).save(out, format=kind, **options)
    return out.getvalue()
