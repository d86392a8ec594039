"""Images that are made to hurt: small files of huge images, with many frames, or broken."""

import io
import struct
import zlib
from typing import Any

from PIL import Image, PngImagePlugin

from . import Recipe


def saved(mode: str, size: tuple[int, int], kind: str, **options: Any) -> bytes:
    """Return an image file of one colour."""
    stream = io.BytesIO()
    Image.new(mode, size).save(stream, kind, **options)
    return stream.getvalue()


def png_header(width: int, height: int) -> bytes:
    """Return a PNG file that says its size, and has no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(b""))


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """Return a part of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def frames(kind: str, count: int = 300) -> bytes:
    """Return an animation."""
    images = [Image.new("RGB", (400, 400), (number % 256, 0, 0)) for number in range(count)]
    stream = io.BytesIO()
    options = {"lossless": True} if kind == "WEBP" else {}
    images[0].save(stream, kind, save_all=True, append_images=images[1:], **options)
    return stream.getvalue()


def texts() -> bytes:
    """Return a PNG whose compressed texts unpack to 50 MB."""
    info = PngImagePlugin.PngInfo()
    for number in range(50):
        info.add_text(f"{number}", "a" * 1_000_000, zip=True)
    return saved("RGB", (8, 8), "PNG", pnginfo=info)


def rotated() -> bytes:
    """Return a JPEG that EXIF says to rotate."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved("RGB", (4000, 3000), "JPEG", exif=exif)


def truncated() -> bytes:
    """Return the first half of a JPEG."""
    content = saved("RGB", (500, 500), "JPEG")
    return content[: len(content) // 2]


TOO_MANY = "at most [0-9,]+ are read"

IMAGES = [
    Recipe("1 x 49,000,000", "image/png", lambda: saved("1", (1, 49_000_000), "PNG"), "a side has at most 16,384"),
    Recipe("7070 x 7070", "image/png", lambda: saved("1", (7070, 7070), "PNG"), TOO_MANY),
    Recipe("a billion pixels", "image/png", lambda: png_header(32_000, 32_000), "an image has too many pixels"),
    Recipe("2 billion wide", "image/png", lambda: png_header(2_147_483_647, 1), "an image has too many pixels"),
    Recipe("no pixels", "image/png", lambda: png_header(8, 8), "broken image"),
    Recipe("texts of 50 MB", "image/png", texts, "too much text"),
    Recipe("progressive", "image/jpeg", lambda: saved("RGB", (4000, 4000), "JPEG", progressive=True)),
    Recipe("CMYK", "image/jpeg", lambda: saved("CMYK", (4000, 4000), "JPEG")),
    Recipe("rotated", "image/jpeg", rotated),
    Recipe("truncated", "image/jpeg", truncated, "broken image"),
    Recipe("WebP", "image/webp", lambda: saved("RGB", (4000, 4000), "WEBP")),
    Recipe("frames of WebP", "image/webp", lambda: frames("WEBP")),
    Recipe("frames of GIF", "image/gif", lambda: frames("GIF")),
    Recipe("frames of PNG", "image/png", lambda: frames("PNG")),
    Recipe("pages of TIFF", "image/tiff", lambda: frames("TIFF", 10)),
    Recipe("PostScript", "application/postscript", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n", "known format"),
    Recipe("SVG", "image/svg+xml", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "known format"),
]
