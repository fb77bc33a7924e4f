"""Whether the pixels of an image can be decoded, of which only the structure of the file is known to be whole.

A model's API rejects a request that holds an image which its decoder cannot read, and every later request of the
conversation repeats it: a person who attaches such a file would end the run. What deflate (PNG) and LZW (GIF) compress
is therefore unpacked here and counted, without keeping it. Of JPEG and WebP the headers and tables are checked without
which a decoder gives up: libjpeg fills in what is missing of the pixels themselves.
"""

import re
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence

DAMAGED = "it is damaged, or not whole"
UNUSUAL_JPEG = "it is a form of JPEG that few programs can read"

BLOCK_BYTES = 256 * 1024  # of pixels that are unpacked at a time
# By color type: samples in a pixel, and the allowed bits of each. https://www.w3.org/TR/png-3/#11IHDR
PNG_COLORS: Mapping[int, tuple[int, Sequence[int]]] = {
    0: (1, (1, 2, 4, 8, 16)),
    2: (3, (8, 16)),
    3: (1, (1, 2, 4, 8)),
    4: (2, (8, 16)),
    6: (4, (8, 16)),
}
PNG_PALETTE = 3
PNG_TRANSPARENT_BYTES = {0: 2, 2: 6}  # the size of tRNS by color type
PNG_FILTERS = bytes(range(5))
# Where the rows and columns of each pass begin, and their distance: https://www.w3.org/TR/png-3/#8Interlace
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))

# ITU-T T.81, table B.1. Other frames are lossless, hierarchical or arithmetic.
JPEG_SEQUENTIAL, JPEG_PROGRESSIVE = (0xC0, 0xC1), 0xC2
HUFFMAN_TABLES, QUANTIZATION_TABLES, RESTART_INTERVAL, SCAN = 0xC4, 0xDB, 0xDD, 0xDA
JPEG_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
LARGEST_CATEGORY = 15  # of a difference between two DC coefficients
LAST_COEFFICIENT, MOST_SHIFT = 63, 13
MOST_BLOCKS = 10  # in a unit of a scan of several components

GIF_CODES = 4_000_000  # an image of the size that is shown has fewer, unless it was built to waste time
LARGEST_GIF_CODE = 4096

VP8_START = b"\x9d\x01\x2a"
VP8L_START = 0x2F
ALPHA_METHODS = 2


class Unfit(Exception):
    """An image cannot be shown; its text is the reason."""


def check_png(content: bytes) -> None:
    """Raise Unfit for a PNG whose header or pixels a decoder cannot read."""
    chunks = [(name, data) for name, data in _png_chunks(content) if name != b"IEND"]
    names = [name for name, _ in chunks]
    header, palette, transparent = (
        next((data for name, data in chunks if name == wanted), None) for wanted in (b"IHDR", b"PLTE", b"tRNS")
    )
    if header is None or len(header) != 13:
        raise Unfit(DAMAGED)
    width, height, depth, color, compression, filters, interlace = struct.unpack(">IIBBBBB", header)
    samples, depths = PNG_COLORS.get(color, (0, ()))
    first, last = names.index(b"IDAT"), len(names)
    is_ordered = set(names[first:]) == {b"IDAT"} and last - len(set(names[:first])) == names.count(b"IDAT")
    if depth not in depths or compression or filters or interlace > 1 or not is_ordered:
        raise Unfit(DAMAGED)
    entries = len(palette or b"") / 3
    if (palette is not None and entries not in range(1, 257)) or (color == PNG_PALETTE and palette is None):
        raise Unfit(DAMAGED)
    if transparent is not None:
        fits = len(transparent) <= entries if color == PNG_PALETTE else True
        if not fits or (color != PNG_PALETTE and len(transparent) != PNG_TRANSPARENT_BYTES.get(color)):
            raise Unfit(DAMAGED)
    steps = ADAM7 if interlace else ((0, 0, 1, 1),)
    sides = [(-(-(width - left) // right), -(-(height - top) // down)) for left, top, right, down in steps]
    rows = [(high, 1 + (wide * samples * depth + 7) // 8) for wide, high in sides if wide > 0 and high > 0]
    _check_rows(_inflated([memoryview(data) for name, data in chunks if name == b"IDAT"]), rows)


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 8
    while position < len(content):
        length, name = struct.unpack_from(">I4s", content, position)
        yield name, content[position + 8 : position + 8 + length]
        position += 12 + length


def _inflated(parts: Sequence[memoryview]) -> Iterator[bytes]:
    """What deflate packed in `parts`, in blocks. Raises Unfit where it does not end, or something follows its end."""
    unpacking = zlib.decompressobj()
    try:
        for part in parts:
            for start in range(0, len(part), BLOCK_BYTES):
                block = unpacking.decompress(part[start : start + BLOCK_BYTES], BLOCK_BYTES)
                yield block
                while unpacking.unconsumed_tail or len(block) == BLOCK_BYTES:
                    block = unpacking.decompress(unpacking.unconsumed_tail, BLOCK_BYTES)
                    yield block
    except zlib.error as error:
        raise Unfit(DAMAGED) from error
    if not unpacking.eof or unpacking.unused_data:
        raise Unfit(DAMAGED)


def _check_rows(blocks: Iterator[bytes], passes: Sequence[tuple[int, int]]) -> None:
    """Raise Unfit unless `blocks` hold the rows of these passes and no more, each with a known filter.

    A pass has so many rows of so many bytes.
    """
    waiting = iter(passes)
    left = size = skipped = 0
    for block in blocks:
        position = skipped
        while position < len(block):
            if not left:
                left, size = next(waiting, (0, 0))
                if not left:
                    raise Unfit(DAMAGED)
            count = min(left, (len(block) - position - 1) // size + 1)
            if block[position : position + (count - 1) * size + 1 : size].translate(None, PNG_FILTERS):
                raise Unfit(DAMAGED)
            position += count * size
            left -= count
        skipped = position - len(block)
    if left or skipped or next(waiting, None):
        raise Unfit(DAMAGED)


class _JpegTables:
    """The frame and the tables of a JPEG that a scan can refer to."""

    def __init__(self) -> None:
        self.frame = 0
        self.components: dict[int, tuple[int, int]] = {}  # of each: its quantization table, its blocks in a unit
        self.quantization: set[int] = set()
        self.huffman: set[int] = set()  # those of AC coefficients have 16 added, as in the file

    def read_frame(self, marker: int, data: bytes) -> None:
        if marker not in (*JPEG_SEQUENTIAL, JPEG_PROGRESSIVE) or data[0] != 8:
            raise Unfit(UNUSUAL_JPEG)
        rows = [data[at : at + 3] for at in range(6, len(data), 3)]
        if len(rows) != data[5] or len(rows) not in (1, 3, 4) or len(rows[-1]) != 3:
            raise Unfit(DAMAGED)
        factors = [(row[1] >> 4, row[1] & 15) for row in rows]
        if not all(factor in range(1, 5) for pair in factors for factor in pair) or self.frame:
            raise Unfit(DAMAGED)
        self.frame = marker
        self.components = {row[0]: (row[2], across * down) for row, (across, down) in zip(rows, factors, strict=True)}
        if len(self.components) != len(rows):
            raise Unfit(DAMAGED)

    def read_quantization(self, data: bytes) -> None:
        position = 0
        while position < len(data):
            precision, number = data[position] >> 4, data[position] & 15
            position += 1 + 64 * (precision + 1)
            if precision > 1 or number > 3 or position > len(data):
                raise Unfit(DAMAGED)
            self.quantization.add(number)

    def read_huffman(self, data: bytes) -> None:
        position = 0
        while position < len(data):
            name, counts = data[position], data[position + 1 : position + 17]
            symbols = data[position + 17 : position + 17 + sum(counts)]
            position += 17 + sum(counts)
            # A code of n bits takes 2^-n of the space; the code of ones alone is reserved.
            space = sum(count << (16 - bits) for bits, count in enumerate(counts, 1))
            is_coefficient = name >> 4 == 0 and max(symbols, default=0) > LARGEST_CATEGORY
            if name & 0xEC or position > len(data) or len(symbols) > 256 or space > 1 << 16 or is_coefficient:
                raise Unfit(DAMAGED)
            self.huffman.add(name)

    def check_scan(self, data: bytes) -> None:
        count = data[0]
        rows = [(data[at], data[at + 1]) for at in range(1, 1 + 2 * count, 2)]
        first, last, shifts = data[1 + 2 * count :]
        names = [name for name, _ in rows]
        if not 1 <= count <= 4 or len(set(names)) != count or not set(names) <= set(self.components):
            raise Unfit(DAMAGED)
        before, now = shifts >> 4, shifts & 15
        is_first_pass, is_dc = before == 0, first == 0
        needs_dc = needs_ac = True
        if self.frame == JPEG_PROGRESSIVE:
            is_range = last == 0 if is_dc else first <= last <= LAST_COEFFICIENT and count == 1
            if not is_range or now > MOST_SHIFT or (before and before != now + 1):
                raise Unfit(DAMAGED)
            needs_dc, needs_ac = is_dc and is_first_pass, not is_dc
        used = [self.components[name] for name in names]
        if count > 1 and sum(blocks for _, blocks in used) > MOST_BLOCKS:
            raise Unfit(DAMAGED)
        needed = {tables >> 4 for _, tables in rows} if needs_dc else set()
        needed |= {16 | tables & 15 for _, tables in rows} if needs_ac else set()
        if not needed <= self.huffman or not {table for table, _ in used} <= self.quantization:
            raise Unfit(DAMAGED)


def check_jpeg(content: bytes) -> None:
    """Raise Unfit for a JPEG of an unusual form, and one whose frame, tables or scans a decoder would refuse."""
    tables = _JpegTables()
    position = 2
    try:
        while (marker := content[position + 1]) != 0xD9:
            (length,) = struct.unpack_from(">H", content, position + 2)
            data = content[position + 4 : position + 2 + length]
            position += 2 + length
            if marker == QUANTIZATION_TABLES:
                tables.read_quantization(data)
            elif marker == HUFFMAN_TABLES:
                tables.read_huffman(data)
            elif marker == RESTART_INTERVAL and len(data) != 2:
                raise Unfit(DAMAGED)
            elif marker == SCAN:
                tables.check_scan(data)
                after = JPEG_AFTER_SCAN.search(content, position)
                position = after.start() if after else len(content)
            elif 0xC0 <= marker <= 0xCF:
                tables.read_frame(marker, data)
    except ValueError as error:  # a scan of another length
        raise Unfit(DAMAGED) from error


def check_gif(content: bytes) -> None:
    """Raise Unfit for a GIF whose only frame has not as many pixels as it says.

    https://www.w3.org/Graphics/GIF/spec-gif89a.txt, appendix F
    """
    frame = 13 + color_table(content[10])
    while content[frame] == 0x21:  # the block of 8 bytes that says which color is transparent
        frame += 8
    width, height = struct.unpack_from("<HH", content, frame + 5)
    position = frame + 10 + color_table(content[frame + 9])
    bits = content[position]
    position += 1
    if not width or not height or not 1 <= bits <= 8:
        raise Unfit(DAMAGED)
    data = bytearray()
    while length := content[position]:
        data += content[position + 1 : position + 1 + length]
        position += 1 + length
    if _pixels(data, bits, width * height) < width * height:
        raise Unfit(DAMAGED)


def color_table(flags: int) -> int:
    """The size in bytes of the color table that these flags of a GIF announce."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _pixels(data: bytes | bytearray, bits: int, enough: int) -> int:
    """How many pixels LZW packed in `data`, counted to `enough`. Raises Unfit for a code that means nothing."""
    clear = 1 << bits
    lengths = [1] * LARGEST_GIF_CODE  # of what each code stands for
    following, width, before, pixels = clear + 2, bits + 1, 0, 0
    position = stored = available = 0
    for _ in range(GIF_CODES):
        while available < width:
            if position == len(data):
                return pixels
            stored |= data[position] << available
            position += 1
            available += 8
        code = stored & ((1 << width) - 1)
        stored >>= width
        available -= width
        if code == clear:
            following, width, before = clear + 2, bits + 1, 0
            continue
        if code == clear + 1:
            return pixels
        if code > following - (not before) or (not before and code >= clear):
            raise Unfit(DAMAGED)
        length = before + 1 if code == following else lengths[code]
        if before and following < LARGEST_GIF_CODE:
            lengths[following] = before + 1
            following += 1
            if following == 1 << width and width < 12:
                width += 1
        before = length
        pixels += length
        if pixels >= enough:
            return pixels
    raise Unfit(DAMAGED)


def check_webp(content: bytes) -> None:
    """Raise Unfit for a WebP that a decoder refuses by the order and the headers of its chunks.

    https://developers.google.com/speed/webp/docs/riff_container, and RFC 6386, section 9.1
    """
    parts, position = [], 12
    while position < len(content):
        (size,) = struct.unpack_from("<I", content, position + 4)
        parts.append(content[position : position + 8 + size + size % 2])
        position += len(parts[-1])
    names = [part[:4] for part in parts]
    picture = parts[-1]
    size = int.from_bytes(picture[4:8], "little")
    if names not in ([names[-1]], [b"VP8X", names[-1]], [b"VP8X", b"ALPH", b"VP8 "]):
        raise Unfit(DAMAGED)
    if names[-1] == b"VP8 ":
        tag = int.from_bytes(picture[8:11], "little")
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", picture, 14))
        is_key_frame, is_shown = not tag & 1, tag >> 4 & 1
        if not is_key_frame or not is_shown or (tag >> 1 & 7) > 3 or picture[11:14] != VP8_START:
            raise Unfit(DAMAGED)
        if not width or not height or tag >> 5 > size - 10:  # the first part of its data would not fit
            raise Unfit(DAMAGED)
    elif names[-1] == b"VP8L":
        (header,) = struct.unpack_from("<I", picture, 9)
        width, height = (header & 0x3FFF) + 1, (header >> 14 & 0x3FFF) + 1
        if picture[8] != VP8L_START or header >> 29:
            raise Unfit(DAMAGED)
    else:
        raise Unfit(DAMAGED)
    if len(parts) > 1:
        canvas = [int.from_bytes(parts[0][at : at + 3], "little") + 1 for at in (12, 15)]
        if canvas != [width, height] or len(parts[0]) != 18:
            raise Unfit(DAMAGED)
    if b"ALPH" in names:
        alpha_size = int.from_bytes(parts[1][4:8], "little")
        method = parts[1][8] & 3 if alpha_size > 1 else ALPHA_METHODS
        if method >= ALPHA_METHODS or (method == 0 and alpha_size <= width * height):
            raise Unfit(DAMAGED)
