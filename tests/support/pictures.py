"""Small pictures in each format, part by part, and what may stand beside the picture in such a file."""

import struct
import zlib

PNG_START = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, data: bytes) -> bytes:
    """A part of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int = 4, height: int = 3, before_end: bytes = b"", pixels: bytes | None = None) -> bytes:
    """A gray PNG; `before_end` are parts before the one that ends it, `pixels` the uncompressed rows."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    rows = (b"\0" + b"\x80" * width) * height if pixels is None else pixels
    return PNG_START + header + chunk(b"IDAT", zlib.compress(rows, 9)) + before_end + chunk(b"IEND", b"")


def built_png(
    packed: bytes | None = None,
    before: bytes = b"",
    depth: int = 8,
    color: int = 0,
    form: tuple[int, int, int] = (0, 0, 0),
) -> bytes:
    """A PNG of 4 x 3 pixels with this content of its IDAT, and with parts before that."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 3, depth, color, *form))
    data = zlib.compress((b"\0" + b"\x80" * 4) * 3) if packed is None else packed
    return PNG_START + header + before + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def segment(marker: int, data: bytes) -> bytes:
    """A part of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jpeg(
    width: int = 8, height: int = 8, before_frame: bytes = b"", frames: int = 1, marker: int = 0xC0, precision: int = 8
) -> bytes:
    """A gray JPEG with the parts that a decoder needs: quantization, frame, Huffman tables, one scan."""
    quantization = segment(0xDB, b"\0" + b"\x01" * 64)
    frame = segment(marker, struct.pack(">BHHB", precision, height, width, 1) + b"\x01\x11\0")
    tables = b"".join(segment(0xC4, bytes([kind]) + b"\x01" + b"\0" * 15 + b"\0") for kind in (0x00, 0x10))
    scan = segment(0xDA, b"\x01\x01\0\0\x3f\0") + b"\x3f\xff\x00\xff\xd0\x2a"
    return b"\xff\xd8" + before_frame + quantization + frame * frames + tables + scan + b"\xff\xd9"


GIF_FRAME = b"\x2c\0\0\0\0\x02\0\x01\0\0" + b"\x02\x02\x44\x0a\0"


def gif(width: int = 2, height: int = 1, before_frame: bytes = b"", after_frame: bytes = b"") -> bytes:
    """A GIF of two colors."""
    screen = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    return screen + before_frame + GIF_FRAME + after_frame + b";"


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP of these chunks."""
    body = b"".join(struct.pack("<4sI", name, len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    return struct.pack("<4sI4s", b"RIFF", len(body) + 4, b"WEBP") + body


def lossless(width: int = 1, height: int = 1) -> tuple[bytes, bytes]:
    """The chunk of a WebP that holds a picture in the lossless form."""
    return b"VP8L", b"\x2f" + struct.pack(
        "<I", (width - 1) | (height - 1) << 14
    ) + b"\x07\x10\x11\x11\x88\x88\xfe\x07\0"


# A gray picture of up to 16 x 16 pixels, in the lossy form: all that follows its size.
LOSSY_DATA = bytes.fromhex("0cc0ce25a4000474000000000000")


def lossy(width: int = 1, height: int = 1, tag: bytes = b"\x50\x01\0") -> tuple[bytes, bytes]:
    """The chunk of a WebP that holds a picture in the lossy form."""
    return b"VP8 ", tag + b"\x9d\x01\x2a" + struct.pack("<HH", width, height) + LOSSY_DATA


def extended(width: int = 1, height: int = 1, flags: int = 0) -> tuple[bytes, bytes]:
    """The chunk of a WebP that says what further chunks there are."""
    return b"VP8X", bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")


def webp(width: int = 1, height: int = 1) -> bytes:
    """A lossless WebP."""
    return riff(lossless(width, height))
