"""get_attachment: an image is an image, text is quoted, the rest is described, and none of another project is read."""

import asyncio
import re
import zlib

import pytest

from gitlab_mcp.sandbox import Sandbox
from tests.support.agent import connect
from tests.support.gitlab_requests import send
from tests.support.pictures import built_png, chunk, extended, gif, jpeg, lossless, lossy, png, riff, segment, webp
from tests.support.seed import SEED
from tests.support.settings import job_settings, settings_for
from tests.support.uploads import upload

PICTURES = {
    "PNG": (png(), "PNG", "4 x 3"),
    "JPEG": (jpeg(), "JPEG", "8 x 8"),
    "GIF": (gif(), "GIF", "2 x 1"),
    "WebP": (webp(5, 7), "WebP", "5 x 7"),
    "lossy WebP": (riff(lossy(16, 9)), "WebP", "16 x 9"),
    "WebP with an alpha channel": (riff(extended(3, 2, 0x10), (b"ALPH", b"\0" * 7), lossy(3, 2)), "WebP", "3 x 2"),
    "as large as a model takes": (png(8000, 1), "PNG", "8,000 x 1"),
}


@pytest.mark.parametrize(("content", "kind", "pixels"), PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("name", ["picture", "notes.txt", "page.html"])
async def test_an_image_is_shown_whatever_its_name_is(
    sandbox: Sandbox, content: bytes, kind: str, pixels: str, name: str
) -> None:
    url = upload(sandbox, name, content)
    async with connect(settings_for(sandbox)) as agent:
        text, media_type, shown = await agent.picture("get_attachment", url=url)
    assert text == f"# {name} · {kind} image · {pixels} pixels · {len(content)} bytes"
    assert (media_type, shown) == (f"image/{kind.lower()}", content)


HTML = b"<html><script>alert(1)</script></html>"
ZIP = b"PK\x03\x04 and the rest of an archive"
# A file that is an image and something else, and the image alone.
POLYGLOTS = {
    "HTML after a PNG": (png() + HTML, png()),
    "ZIP after a PNG": (png() + ZIP, png()),
    "text in a PNG": (png(before_end=chunk(b"tEXt", b"Comment\0" + HTML)), png()),
    "compressed text in a PNG": (png(before_end=chunk(b"zTXt", b"Comment\0\0" + b"x" * 999)), png()),
    "a profile in a PNG": (png(before_end=chunk(b"iCCP", HTML)), png()),
    "HTML in the resolution of a PNG": (png(before_end=chunk(b"pHYs", HTML)), png()),
    "ZIP after a JPEG": (jpeg() + ZIP, jpeg()),
    "HTML in a JPEG's comment": (jpeg(before_frame=segment(0xFE, HTML)), jpeg()),
    "Exif and XMP in a JPEG": (jpeg(before_frame=segment(0xE1, b"Exif\0\0" + HTML)), jpeg()),
    "a thumbnail in a JPEG": (jpeg(before_frame=segment(0xE0, b"JFIF\0" + HTML)), jpeg()),
    "a script in a GIF's comment": (gif(before_frame=b"\x21\xfe\x05alert\0"), gif()),
    "an application's data in a GIF": (gif(before_frame=b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"), gif()),
    "ZIP after a GIF": (gif() + ZIP, gif()),
    "HTML in a GIF's control block": (gif(before_frame=b"\x21\xf9\x26" + HTML + b"\0"), gif()),
    "a second frame of a GIF": (gif(after_frame=gif()[19:-1]), gif()),
    "HTML after a WebP": (webp() + HTML, webp()),
    "Exif in a WebP": (riff(extended(flags=0x08), lossless(), (b"EXIF", HTML)), riff(extended(), lossless())),
    "an unknown part of a WebP": (riff(lossless(), (b"JUNK", HTML)), webp()),
}


@pytest.mark.parametrize(("content", "alone"), POLYGLOTS.values(), ids=POLYGLOTS)
async def test_what_is_not_part_of_the_picture_is_left_out(sandbox: Sandbox, content: bytes, alone: bytes) -> None:
    url = upload(sandbox, "both.html", content)
    async with connect(settings_for(sandbox)) as agent:
        text, _, shown = await agent.picture("get_attachment", url=url)
    assert shown == alone
    assert "beside the picture left out" in text or len(content) == len(alone)


UNFIT = {
    "too wide": (png(8001, 1), "# f · PNG image · 8,001 x 1 pixels", "8,000 pixels on a side"),
    "a bomb of a gigabyte": (png(30_000, 30_000, pixels=b""), "30,000 x 30,000 pixels", "8,000 pixels on a side"),
    "a wide JPEG": (jpeg(9000, 2), "JPEG image · 9,000 x 2", "8,000 pixels on a side"),
    "a high GIF": (gif(2, 9000), "GIF image · 2 x 9,000", "8,000 pixels on a side"),
    "a WebP with a larger picture inside": (riff(extended(1, 1), lossless(9000, 1)), "9,000 x 1", "8,000 pixels"),
    "no pixels": (png(0, 5), "# f · PNG image · ", "it does not say how many pixels it has"),
    "cut off": (png()[:-9], "4 x 3 pixels", "it is damaged, or not whole"),
    "a wrong checksum": (png().replace(b"IEND\xae", b"IEND\xaf"), "4 x 3 pixels", "it is damaged"),
    "an unknown part that decoding needs": (png(before_end=chunk(b"BOMB", b"")), "4 x 3 pixels", "it is damaged"),
    "two headers": (png(before_end=png()[8:33]), "4 x 3 pixels", "it is damaged"),
    "a JPEG cut off": (jpeg()[:-2], "8 x 8 pixels", "it is damaged"),
    "a JPEG of two frames": (jpeg(frames=2), "8 x 8 pixels", "it is damaged"),
    "only the start of a JPEG": (b"\xff\xd8\xff", "# f · JPEG image · ", "it is damaged"),
    "a JPEG of zeros": (b"\xff\xd8\xff" + b"\0" * 99, "# f · JPEG image · ", "it is damaged"),
    "a JPEG of millions of markers": (b"\xff\xd8" + b"\xff" * 3_900_000, "# f · JPEG image · ", "it is damaged"),
    "a JPEG whose pixels are markers": (jpeg()[:-5] + b"\xff" * 3_900_000, "8 x 8 pixels", "it is damaged"),
    "a GIF that is a script": (b"GIF89a/*" + b"A" * 99 + b"*/=alert(1)", "GIF image", "Not shown: "),
    "an animated WebP": (riff(extended(1, 1, 2), (b"ANIM", b"\0" * 6), (b"ANMF", b"\0" * 24)), "WebP", "is animated"),
    "a WebP without a picture": (riff((b"EXIF", b"x")), "# f · WebP image · ", "it is damaged"),
    "over 3.9 MB": (png(before_end=chunk(b"IDAT", b"x" * 3_932_161)), "4 x 3 pixels · 3.9 MB", "larger than the"),
    "far over 3.9 MB": (png(before_end=chunk(b"IDAT", b"x" * 9_000_000)), "9.0 MB", "larger than the 3.9 MB"),
}


@pytest.mark.parametrize(("content", "head", "reason"), UNFIT.values(), ids=UNFIT)
async def test_an_image_that_no_model_takes_is_described(
    sandbox: Sandbox, content: bytes, head: str, reason: str
) -> None:
    url = upload(sandbox, "f", content)
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_attachment", url=url)
    title, _, rest = answer.partition("\n")
    assert head in title
    assert rest.startswith("Not shown: ")
    assert reason in rest
    assert rest.endswith("A person can open it on GitLab.")


ROWS = (b"\0" + b"\x80" * 4) * 3
PALETTE = chunk(b"PLTE", b"abc")
# The structure of these is whole, and a decoder gives up on them: the model's API would reject every later request.
UNREADABLE = {
    "a PNG of garbage": built_png(b"garbage"),
    "a PNG without data": built_png(b""),
    "a PNG with a row too few": built_png(zlib.compress(ROWS[:-5])),
    "a PNG with a row too many": built_png(zlib.compress(ROWS + ROWS[:5])),
    "a PNG whose rows are cut off": built_png(zlib.compress(ROWS)[:-6]),
    "a PNG with a wrong checksum of its rows": built_png(zlib.compress(ROWS)[:-1] + b"x"),
    "a PNG with HTML behind its rows": built_png(zlib.compress(ROWS) + HTML),
    "a PNG with an unknown filter": built_png(zlib.compress(b"\x09" + ROWS[1:])),
    "a PNG of 7 bits": built_png(depth=7),
    "a PNG of an unknown color type": built_png(color=5),
    "a PNG without its palette": built_png(color=3),
    "a PNG of another compression": built_png(form=(1, 0, 0)),
    "a PNG of another interlacing": built_png(form=(0, 0, 2)),
    "a PNG with half a palette entry": built_png(before=chunk(b"PLTE", b"abcd"), color=3),
    "a PNG with a short transparent color": built_png(before=chunk(b"tRNS", b"")),
    "a PNG with more transparent colors than it has": built_png(before=PALETTE + chunk(b"tRNS", b"ab"), color=3),
    "a PNG with two palettes": built_png(before=PALETTE * 2, color=3),
    "a PNG with a part within its data": png(before_end=chunk(b"tRNS", b"\0\0") + chunk(b"IDAT", b"")),
    "a lossless JPEG": jpeg(marker=0xC3),
    "an arithmetic JPEG": jpeg(marker=0xC9),
    "a JPEG of 12 bits": jpeg(precision=12),
    "a JPEG without quantization": jpeg().replace(b"\xff\xdb", b"\xff\xfe"),
    "a JPEG without Huffman tables": jpeg().replace(b"\xff\xc4", b"\xff\xfe"),
    "a JPEG of impossible Huffman codes": jpeg(before_frame=segment(0xC4, b"\0\x03" + b"\0" * 18)),
    "a JPEG with half a quantization table": jpeg(before_frame=segment(0xDB, b"\0" * 9)),
    "a JPEG with half a restart interval": jpeg(before_frame=segment(0xDD, b"\0")),
    "a JPEG whose scan is of another component": jpeg().replace(b"\x01\x01\0\0\x3f\0", b"\x01\x02\0\0\x3f\0"),
    "a progressive JPEG of an impossible scan": jpeg(marker=0xC2),
    "a JPEG of blocks of no size": jpeg().replace(b"\x01\x01\x11\0", b"\x01\x01\x01\0"),
    "a GIF of no pixels": gif().replace(b"\x2c\0\0\0\0\x02\0", b"\x2c\0\0\0\0\0\0"),
    "a GIF with a pixel too few": gif().replace(b"\x44\x0a", b"\x44\x01"),
    "a GIF with an impossible code": gif().replace(b"\x44\x0a", b"\x7c\x0a"),
    "a GIF of 12 bits": gif().replace(b"\x02\x02\x44", b"\x0c\x02\x44"),
    "a WebP that goes on from another": riff(lossy(tag=b"\x51\x01\0")),
    "a WebP that is not to be shown": riff(lossy(tag=b"\x40\x01\0")),
    "a WebP whose first part is missing": riff(lossy(tag=b"\x50\xff\xff")),
    "a lossless WebP of another version": riff((b"VP8L", b"\x2f\0\0\0\x20" + b"\0" * 9)),
    "a WebP on a canvas of another size": riff(extended(9, 9), lossless()),
    "a WebP whose canvas comes last": riff(lossless(), extended()),
    "a WebP with an alpha channel of another size": riff(extended(3, 2, 0x10), (b"ALPH", b"\0\0"), lossy(3, 2)),
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
async def test_an_image_whose_pixels_no_decoder_reads_is_described(sandbox: Sandbox, content: bytes) -> None:
    url = upload(sandbox, "f", content)
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_attachment", url=url)
    assert re.search(r"\nNot shown: (it is damaged, or not whole|it is a form of JPEG that few)", answer)


FORMS_OF_PNG = {
    "interlaced": built_png(
        zlib.compress(b"\0\x80" * 2 + b"\0\x80\x80" + b"\0\x80\x80" * 2 + b"\0" + b"\x80" * 4), form=(0, 0, 1)
    ),
    "one bit": built_png(zlib.compress(b"\0\xf0" * 3), depth=1),
    "16 bits with alpha": built_png(zlib.compress((b"\x04" + b"\x80" * 32) * 3), depth=16, color=6),
    "a palette with a transparent color": built_png(before=PALETTE + chunk(b"tRNS", b"\0"), color=3),
}


@pytest.mark.parametrize("content", FORMS_OF_PNG.values(), ids=FORMS_OF_PNG)
async def test_every_form_of_png_is_shown(sandbox: Sandbox, content: bytes) -> None:
    url = upload(sandbox, "f.png", content)
    async with connect(settings_for(sandbox)) as agent:
        assert (await agent.picture("get_attachment", url=url))[2] == content


SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
OTHERS = {
    "SVG": (SVG, "SVG image, as text", f"> {SVG.decode()}"),
    "text": (b"first\nlast\n", "text", "> first\n> last"),
    "UTF-16": ("\ufeffone\r\ntwo".encode("utf-16-le"), "text", "> one\n> two"),
    "HTML": (HTML, "text", f"> {HTML.decode()}"),
    "invisible characters": ("a\u202eb\u200b".encode(), "text", "> ab"),
    "a token": (b"glpat-AbCdEfGhIjKlMnOpQrSt", "text", "> [token removed]"),
    "a heading that is none of ours": (b"# n1 @maintainer", "text", "> # n1 @maintainer"),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "PDF document", "Its content is not shown."),
    "ZIP": (ZIP + b"\0", "ZIP archive, or a document in one", "Its content is not shown."),
    "gzip bomb": (b"\x1f\x8b\x08\0" + b"\0" * 99, "gzip archive", "Its content is not shown."),
    "video": (b"\0\0\0\x18ftypmp42", "MP4, HEIC or AVIF media", "Its content is not shown."),
    "bytes": (b"\0\x01\x02", "binary file", "Its content is not shown."),
    "Latin-1": ("größe".encode("latin-1"), "binary file", "Its content is not shown."),
}


@pytest.mark.parametrize(("content", "kind", "rest"), OTHERS.values(), ids=OTHERS)
async def test_text_is_quoted_and_any_other_file_described(
    sandbox: Sandbox, content: bytes, kind: str, rest: str
) -> None:
    url = upload(sandbox, "file.png", content)
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_attachment", url=url)
    assert answer.startswith(f"# file.png · {kind} · {len(content)} bytes\n{rest}")
    assert not re.search("[\u200b\u202e]|glpat-A", answer)


async def test_a_long_text_has_pages(sandbox: Sandbox) -> None:
    url = upload(sandbox, "long.log", b"".join(b"line %d\n" % number for number in range(9_000)))
    async with connect(settings_for(sandbox)) as agent:
        first = await agent.call("get_attachment", url=url)
        assert f'next: get_attachment {{"url": "{url}", "page": 2}}' in first
        assert "> line 8999" in await agent.call("get_attachment", url=url, page=4)


async def test_of_a_text_of_many_megabytes_only_the_beginning_is_shown(sandbox: Sandbox) -> None:
    url = upload(sandbox, "long.log", "größe\n".encode() * 1_000_000)
    async with connect(settings_for(sandbox)) as agent:
        answer = await agent.call("get_attachment", url=url)
    assert "· text · 8.0 MB" in answer
    assert "Only its beginning is shown." in answer


# The ways in which a text, or a page of GitLab, names an upload.
FORMS = {
    "as in the text": "{upload}",
    "Markdown": "![screenshot]({upload}){{width=900 height=600}}",
    "HTML": '<img src="{upload}" width="900">',
    "code": "`{upload}`",
    "by the project's id": "/-/project/{id}{upload}",
    "by the project's path": "/acme/app{upload}",
    "URL by id": "{url}/-/project/{id}{upload}",
    "URL by path": "{url}/acme/app{upload}",
    "URL below the dash": "{url}/acme/app/-{upload}?inline=true",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
async def test_an_upload_is_read_by_every_address_that_texts_and_pages_have(sandbox: Sandbox, form: str) -> None:
    address = form.format(url=sandbox.url, id=sandbox.project_id, upload=SEED.screenshot)
    async with connect(settings_for(sandbox)) as agent:
        text, _, _ = await agent.picture("get_attachment", url=address)
    assert text.startswith("# screenshot.png · PNG image · 320 x 200 pixels")


REFUSED = {
    "another GitLab": ("https://evil.example/acme/app{}", "is not a project on"),
    "another GitLab by id": ("https://evil.example/-/project/1{}", "is not a project on"),
    "another host without a scheme": ("//evil.example/acme/app{}", "is not a project on"),
    "another host by id without a scheme": ("//evil.example/-/project/1{}", "is not a project on"),
    "another GitLab with our name as its user": ("{url}@evil.example/acme/app{}", "is not a project on"),
    "another port": ("{url}0/acme/app{}", "is not a project on"),
    "another GitLab in a path that leads back": ("https://evil.example/../acme/app{}", "is not a project on"),
    "a group": ("/-/group/3{}", "It is a file of a group"),
    "an avatar": ("/uploads/-/system/user/avatar/1/avatar.png", "give the address of an attached file"),
    "a path that leads out": ("/uploads/5f0f1f5a1b6c2d3e4f5a6b7c8d9e0f1a/..%2F..%2Fx", "give the address"),
    "two dots": ("/uploads/5f0f1f5a1b6c2d3e4f5a6b7c8d9e0f1a/..", "give the address of an attached file"),
    "text": ("the screenshot", "give the address of an attached file"),
    "a long text": ("x" * 5_000 + "{}", "give the address of an attached file"),
    "an upload that is not there": ("/uploads/00000000000000000000000000000000/x.png", "404"),
}


@pytest.mark.parametrize(("url", "message"), REFUSED.values(), ids=REFUSED)
async def test_an_address_of_something_else_is_refused(sandbox: Sandbox, url: str, message: str) -> None:
    async with connect(settings_for(sandbox)) as agent:
        assert message in await agent.refused("get_attachment", url=url.format(SEED.screenshot, url=sandbox.url))
    asked = [each["path"] for each in sandbox.faults.requests() if "/uploads/" in each["path"]]
    assert all(path.endswith("/00000000000000000000000000000000/x.png") for path in asked)


@pytest.mark.parametrize(
    "form",
    ["{url}/acme/private-notes{upload}", "/acme/private-notes{upload}", "/-/project/{id}{upload}", "{upload}"],
    ids=["URL", "path", "id", "as in the text"],
)
async def test_a_job_reads_no_upload_of_another_project(sandbox: Sandbox, form: str) -> None:
    other = next(each for each in sandbox.world.projects.values() if each.full_path == "acme/private-notes")
    theirs = upload(sandbox, "x.png", png(), "maintainer", other.full_path)
    where = {"url": sandbox.url, "id": other.id, "upload": theirs}
    own = (sandbox.project, str(sandbox.project_id))
    sandbox.faults.clear_requests()
    async with connect(settings_for(sandbox, in_ci=True, own_project=own)) as agent:
        told = await agent.refused("get_attachment", url=form.format(**where))
    assert "This run is restricted to acme/app" in told or "404" in told
    assert not [each for each in sandbox.faults.requests() if each["path"].startswith(f"/api/v4/projects/{other.id}")]


async def test_with_a_job_token_alone_the_tool_is_not_listed(sandbox: Sandbox) -> None:
    async with connect(job_settings(sandbox)) as agent:
        told = await agent.refused("get_attachment", url=SEED.screenshot)
    assert told.startswith("get_attachment needs GITLAB_ACCESS_TOKEN")


async def test_the_text_that_names_an_upload_shows_its_address(sandbox: Sandbox) -> None:
    body = f'Seen here:\n\n![shot]({SEED.screenshot}){{width=9}}\n\n<img src="{SEED.screenshot}" width="9">'
    send(sandbox, "POST", f"{SEED.legacy_issue.path}/notes", body=body)
    async with connect(settings_for(sandbox)) as agent:
        assert (await agent.call("get_issue", iid=SEED.legacy_issue.iid)).count(SEED.screenshot) == 2


@pytest.mark.parametrize(
    ("who", "reads"), [("developer", True), (SEED.stranger, False), ("reporter", False)], ids=lambda value: str(value)
)
async def test_with_trusted_only_a_file_is_shown_that_a_developer_names(
    fresh_sandbox: Sandbox, who: str, reads: bool
) -> None:
    url = upload(fresh_sandbox, "shot.png", png(), SEED.stranger)
    send(fresh_sandbox, "POST", f"{SEED.crash_issue.path}/notes", who, body=f"![shot]({url})")
    async with connect(settings_for(fresh_sandbox, trusted_only=True)) as agent:
        told = await agent.refused("get_attachment", url=url)
        assert told.endswith("names this file: read it with get_issue or get_merge_request or list_discussions first.")
        await agent.call("get_issue", iid=SEED.crash_issue.iid)
        if reads:
            await agent.picture("get_attachment", url=f"/-/project/{fresh_sandbox.project_id}{url}")
        else:
            assert "Withheld" in await agent.refused("get_attachment", url=url)


async def test_images_are_read_in_parallel(sandbox: Sandbox) -> None:
    async with connect(settings_for(sandbox)) as agent:
        shown = await asyncio.gather(*(agent.picture("get_attachment", url=SEED.screenshot) for _ in range(8)))
    assert len({content for _, _, content in shown}) == 1
