"""Images that people attached: what a model may be shown of them, found without keeping a pixel.

An image is rebuilt from the parts that make up its picture. Metadata, comments, further frames and whatever follows its
end are left out, so that a file that is an image and something else too (a web page, a script, an archive) leaves as an
image alone. A model's API rejects a request that holds a damaged image, and every later one that repeats it, so that
an image is not shown whose structure is not whole, or whose pixels `image_data` finds that no decoder can read.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from gitlab_mcp.safety.image_data import (
    DAMAGED,
    JPEG_AFTER_SCAN,
    Unfit,
    check_gif,
    check_jpeg,
    check_png,
    check_webp,
    color_table,
)

# What the Messages API takes: 5 MB in base64, and 8,000 pixels on a side.
# https://platform.claude.com/docs/en/build-with-claude/vision
IMAGE_BYTES = 5 * 1024 * 1024 // 4 * 3
IMAGE_SIDE = 8_000

PNG = b"\x89PNG\r\n\x1a\n"
# The parts that the pixels need; left out are those with a profile, text, a resolution or further frames.
PNG_PARTS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
# ITU-T T.81, table B.1: frames (all of C0 to CF but three), tables, and the segments that hold a program's own data.
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
JPEG_PARTS = JPEG_FRAMES | {0xC4, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD}
JPEG_DATA = frozenset({*range(0xE0, 0xF0), 0xFE})
# A marker may follow any number of bytes FF; among pixels, FF stands only before 00 and the markers RST.
JPEG_MARKER = re.compile(rb"\xff+[^\xff]", re.DOTALL)
# It says how the colors are stored: ITU-T T.872, section 6.5.3.
ADOBE, ADOBE_START = 0xEE, re.compile(rb"....Adobe.{7}\Z", re.DOTALL)
START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
WEBP_PARTS = (b"VP8 ", b"VP8L", b"VP8X", b"ALPH")
WEBP_ALPHA = 0x10  # the flag of VP8X for an alpha channel


TOO_LARGE = f"it is larger than the {IMAGE_BYTES / 1_000_000:.1f} MB that a model takes"


@dataclass(frozen=True)
class Image:
    """An image: its format, such as "PNG", and its size in pixels, 0 where its header does not tell.

    `content` is the rebuilt file; it is empty where the image cannot be shown, for the reason `unfit`.
    """

    kind: str
    width: int = 0
    height: int = 0
    content: bytes = b""
    unfit: str = ""

    @property
    def media_type(self) -> str:
        """The MIME type."""
        return f"image/{self.kind.lower()}"


# The size in pixels, where a part of an image tells it, and the part, where it is kept.
Part = tuple[tuple[int, int] | None, bytes]


def image_of(content: bytes, *, is_whole: bool = True) -> Image | None:
    """The image that a file is by its content, whatever its name says; None for any other file.

    Where `is_whole` is false, `content` is only the beginning of the file, and the image is not shown.
    """
    kind = _kind(content)
    if not kind:
        return None
    width = height = 0
    kept: list[bytes] = []
    try:
        for sides, part in READERS[kind](content):
            width, height = max(width, sides[0] if sides else 0), max(height, sides[1] if sides else 0)
            kept.append(part)
        if max(width, height) > IMAGE_SIDE:
            raise Unfit(f"it has more than the {IMAGE_SIDE:,} pixels on a side that a model takes")
        if not width or not height:
            raise Unfit("it does not say how many pixels it has")
        if not is_whole or sum(map(len, kept)) > IMAGE_BYTES:
            raise Unfit(TOO_LARGE)
        rebuilt = b"".join(kept)
        CHECKS[kind](rebuilt)
    except (Unfit, IndexError, struct.error) as error:
        reason = str(error) if isinstance(error, Unfit) else DAMAGED
        return Image(kind, width, height, unfit=reason if is_whole or reason != DAMAGED else TOO_LARGE)
    return Image(kind, width, height, rebuilt)


def _kind(content: bytes) -> str:
    if content.startswith(PNG):
        return "PNG"
    if content.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    return "WebP" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else ""


def _png(content: bytes) -> Iterator[Part]:
    """https://www.w3.org/TR/png-3/#5Chunk-layout."""
    yield None, content[: len(PNG)]
    position = len(PNG)
    names: list[bytes] = []
    while not names or names[-1] != b"IEND":
        length, name = struct.unpack_from(">I4s", content, position)
        chunk = _part(content, position, length + 12)
        if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
            raise Unfit(DAMAGED)
        if name in PNG_PARTS:
            names.append(name)
            yield struct.unpack_from(">II", chunk, 8) if name == b"IHDR" else None, chunk
        elif name[:1].isupper():  # no decoder can do without a part with such a name
            raise Unfit(DAMAGED)
        position += length + 12
    if names[0] != b"IHDR" or names.count(b"IHDR") > 1 or b"IDAT" not in names:
        raise Unfit(DAMAGED)


def _jpeg(content: bytes) -> Iterator[Part]:
    """ITU-T T.81, annex B: segments, each with a marker and its length; pixels follow the one that starts a scan."""
    yield None, content[:2]
    position, markers = 2, []
    while True:
        at = JPEG_MARKER.match(content, position)
        if at is None:
            raise Unfit(DAMAGED)
        position, marker = at.end() - 2, content[at.end() - 1]
        if marker == END_OF_IMAGE:
            break
        (length,) = struct.unpack_from(">H", content, position + 2)
        segment = _part(content, position, length + 2)
        position += length + 2
        if marker in JPEG_PARTS or (marker == ADOBE and ADOBE_START.match(segment)):
            markers.append(marker)
            height, width = struct.unpack_from(">HH", segment, 5) if marker in JPEG_FRAMES else (0, 0)
            yield (width, height), segment
        elif marker not in JPEG_DATA:
            raise Unfit(DAMAGED)
        if marker == START_OF_SCAN:
            after = JPEG_AFTER_SCAN.search(content, position)
            if after is None:
                raise Unfit(DAMAGED)
            yield None, content[position : after.start()]
            position = after.start()
    if sum(marker in JPEG_FRAMES for marker in markers) != 1 or START_OF_SCAN not in markers:
        raise Unfit(DAMAGED)
    yield None, content[position : position + 2]


def _gif(content: bytes) -> Iterator[Part]:
    """https://www.w3.org/Graphics/GIF/spec-gif89a.txt: the first frame, and what it needs."""
    position = 13 + color_table(content[10])
    yield struct.unpack_from("<HH", content, 6), _part(content, 0, position)
    while (introducer := content[position]) == 0x21:
        end = _end_of_blocks(content, position + 2)
        if content[position + 1] == 0xF9 and end - position == 8:  # which color is transparent
            yield None, content[position:end]
        position = end
    if introducer != 0x2C:
        raise Unfit(DAMAGED)
    left, top, width, height = struct.unpack_from("<HHHH", content, position + 1)
    pixels = position + 10 + color_table(content[position + 9])
    yield (left + width, top + height), content[position : _end_of_blocks(content, pixels + 1)]
    yield None, b";"


def _end_of_blocks(content: bytes, position: int) -> int:
    while length := content[position]:
        position += 1 + length
    return position + 1


def _webp(content: bytes) -> Iterator[Part]:
    """https://developers.google.com/speed/webp/docs/riff_container, and RFC 9649."""
    (length,) = struct.unpack_from("<I", content, 4)
    riff = content[: length + 8]
    position, parts, is_animated = 12, [], False
    while position < len(riff):
        name, size = struct.unpack_from("<4sI", riff, position)
        if name in WEBP_PARTS:
            yield _webp_sides(name, riff[position:]), b""
        chunk = _part(riff, position, 8 + size + size % 2)
        is_animated = is_animated or name == b"ANMF"
        if name in WEBP_PARTS:
            parts.append(chunk[:8] + bytes([chunk[8] & WEBP_ALPHA]) + chunk[9:] if name == b"VP8X" else chunk)
        position += len(chunk)
    if is_animated:
        raise Unfit("it is animated")
    if len(riff) != length + 8 or sum(part[:4] in (b"VP8 ", b"VP8L") for part in parts) != 1:
        raise Unfit(DAMAGED)
    body = b"".join(parts)
    yield None, struct.pack("<4sI4s", b"RIFF", len(body) + 4, b"WEBP") + body


def _webp_sides(name: bytes, chunk: bytes) -> tuple[int, int]:
    """The width and height that a chunk states; 0 and 0 for one that states none."""
    if name == b"VP8 ":
        width, height = struct.unpack_from("<HH", chunk, 14)
        return width & 0x3FFF, height & 0x3FFF
    if name == b"VP8L":
        (bits,) = struct.unpack_from("<I", chunk, 9)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if name == b"VP8X":
        return int.from_bytes(chunk[12:15], "little") + 1, int.from_bytes(chunk[15:18], "little") + 1
    return 0, 0


def _part(content: bytes, position: int, size: int) -> bytes:
    part = content[position : position + size]
    if len(part) != size:
        raise Unfit(DAMAGED)
    return part


READERS: Mapping[str, Callable[[bytes], Iterator[Part]]] = {
    "PNG": _png,
    "JPEG": _jpeg,
    "GIF": _gif,
    "WebP": _webp,
}

# Each is given the rebuilt image, and raises Unfit where no decoder can read it.
CHECKS: Mapping[str, Callable[[bytes], None]] = {
    "PNG": check_png,
    "JPEG": check_jpeg,
    "GIF": check_gif,
    "WebP": check_webp,
}
