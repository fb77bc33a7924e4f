"""Render files that people attached and artifacts of jobs: an image as an image, text as text, the rest by its kind."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gitlab_mcp.api.client import Beginning, Page
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.git.objects import LINK, is_binary
from gitlab_mcp.render.markdown import bytes_of, facts, quote_plain
from gitlab_mcp.render.pagination import listing, page_of, quoted_pieces
from gitlab_mcp.safety.images import IMAGE_BYTES, image_of
from gitlab_mcp.safety.sanitize import LONGEST_TEXT, one_line

FILE_BYTES = IMAGE_BYTES + 64 * 1024  # beside the picture, an image has other parts, which are left out
ON_GITLAB = "A person can open it on GitLab."
# How files of these kinds begin.
FILE_KINDS = (
    (b"%PDF-", "PDF document"),
    (b"PK\x03\x04", "ZIP archive, or a document in one"),
    (b"\x1f\x8b", "gzip archive"),
    (b"BZh", "bzip2 archive"),
    (b"\xfd7zXZ\x00", "xz archive"),
    (b"\x28\xb5\x2f\xfd", "Zstandard archive"),
    (b"7z\xbc\xaf\x27\x1c", "7z archive"),
    (b"Rar!", "RAR archive"),
    (b"\x7fELF", "ELF program"),
    (b"MZ", "Windows program"),
    (b"SQLite format 3\x00", "SQLite database"),
    (b"BM", "BMP image"),
    (b"II*\x00", "TIFF image"),
    (b"MM\x00*", "TIFF image"),
    (b"\x1aE\xdf\xa3", "Matroska or WebM video"),
    (b"OggS", "Ogg audio or video"),
    (b"ID3", "MP3 audio"),
)


@dataclass(frozen=True)
class Picture:
    """The answer of a tool that shows an image: its text, and the file with its MIME type."""

    text: str
    content: bytes
    media_type: str


def attachment(name: str, file: Beginning, page: int, call: str, arguments: Mapping[str, object]) -> str | Picture:
    """Render a file of which `file` is the beginning. `call` with `arguments` gets the next page of a long text."""
    title = f"# {one_line(name, 300)}"
    size = "size unknown" if file.size is None else bytes_of(file.size)
    if image := image_of(file.content, is_whole=file.is_whole):
        pixels = f"{image.width:,} x {image.height:,} pixels" if image.width and image.height else ""
        head = facts(title, f"{image.kind} image", pixels, size)
        if image.unfit:
            return f"{head}\nNot shown: {image.unfit}. {ON_GITLAB}"
        left_out = len(file.content) - len(image.content)
        beside = f"\n{bytes_of(left_out)} beside the picture left out (metadata and the like)." if left_out > 0 else ""
        return Picture(head + beside, image.content, image.media_type)
    text = _text(file)
    if text is None:
        return f"{facts(title, _kind(file.content), size)}\nIts content is not shown. {ON_GITLAB}"
    if not text:
        return f"{facts(title, size)}\nThe file is empty."
    is_svg = "<svg" in text[:2_000].lower()
    about = "" if file.is_whole and len(text) <= LONGEST_TEXT else f"Only its beginning is shown. {ON_GITLAB}"
    head = facts(title, "SVG image, as text" if is_svg else "text", size)
    return page_of(head, about, quoted_pieces(quote_plain(text)), page, call, arguments)


def _text(file: Beginning) -> str | None:
    """The text of a file; None for a file that is not text."""
    content = file.content
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    if encoding == "utf-8" and is_binary(content):
        return None
    if not file.is_whole:
        content = content[: LONGEST_TEXT * 4]
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        is_cut = not file.is_whole and error.start >= len(content) - 4  # within the last character
        return content[: error.start].decode(encoding) if is_cut else None


def _kind(content: bytes) -> str:
    if content[4:8] == b"ftyp":
        return "MP4, HEIC or AVIF media"
    return next((kind for start, kind in FILE_KINDS if content.startswith(start)), "binary file")


def artifact_list(found: Page, job_id: int, folder: str, arguments: Mapping[str, object]) -> str:
    """Render a page of the files in the archive of a job."""
    title = f"Artifacts of job {job_id}{f' in {one_line(folder, 300)}' if folder else ''}"
    return listing(title, "entry", _rows(found.rows), found, "list_job_artifacts", arguments)


def _rows(entries: Iterable[Entity]) -> Iterable[str]:
    for entry in entries:
        path = one_line(entry.text("path"), 1000)
        is_folder = entry.text("type") == "directory"
        yield facts(
            f"{path.rstrip('/')}/" if is_folder else path,
            "" if is_folder else bytes_of(entry.number("size")),
            "a link, which is not followed" if entry.text("mode").startswith(LINK[:3]) else "",
            "leads out of the archive, and is not read" if _leads_out(path) else "",
        )


def _leads_out(path: str) -> bool:
    return path.startswith(("/", "\\")) or ".." in path.replace("\\", "/").split("/")
