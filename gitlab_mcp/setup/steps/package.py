"""This server as a wheel, with its lock, in the generic package registry of the project, from which jobs install it."""

import hashlib
from functools import partial

from gitlab_mcp.api.client import segment
from gitlab_mcp.api.entity import Entity
from gitlab_mcp.api.idempotency import write_once
from gitlab_mcp.setup.facts import FEATURES
from gitlab_mcp.setup.own_files import DISTRIBUTION
from gitlab_mcp.setup.plan import Blocked, InPlace, Outcome, PlannedChange
from gitlab_mcp.setup.step import SetupContext, SetupStep, delete_once, look_at

PACKAGES_PAGE = "Deploy > Package registry"


class PackageStep(SetupStep):
    """https://docs.gitlab.com/user/packages/generic_packages/

    The version names the content: a file of a package never changes, and a job that names its checksum finds it.
    """

    id = "package"

    def look(self, setup: SetupContext) -> Outcome:
        project, packed = setup.facts.project, setup.packed
        if project.text("package_registry_access_level") == "disabled":
            return Blocked(
                f"{PACKAGES_PAGE}: the project's package registry is turned off",
                f"Turn it on: {FEATURES} > Package registry; or pass --image.",
            )
        name = f"{DISTRIBUTION} {packed.version}"
        missing = _missing(setup)
        if not missing:
            return InPlace(f"{PACKAGES_PAGE} > {name}: uploaded")
        before = "absent" if len(missing) == len(packed.files) else f"{', '.join(missing)} is absent"
        size = sum(map(len, packed.files.values())) // 1024
        purpose = "jobs install the server from it, with the job token and no further setting"
        return PlannedChange(f"{PACKAGES_PAGE} > {name}", purpose, before, f"{' and '.join(packed.files)}, {size} kB")

    def apply(self, setup: SetupContext) -> None:
        versions = {*setup.state.record(self.id).get("versions", ()), setup.packed.version}
        setup.state.keep(self.id, versions=sorted(versions))
        for name in _missing(setup):
            upload = partial(setup.gitlab.upload, f"{path_of(setup)}/{name}", setup.packed.files[name])

            def send(upload: partial[None] = upload) -> bool:
                upload()
                return True

            def find(name: str = name) -> bool | None:
                return None if name in _missing(setup) else True

            write_once(send, find, look_at(PACKAGES_PAGE))

    def look_undo(self, setup: SetupContext) -> Outcome:
        own = _own_packages(setup)
        if not own:
            return InPlace(f"{PACKAGES_PAGE} > {DISTRIBUTION}: none that setup uploaded")
        versions = ", ".join(package.text("version") for package in own)
        return PlannedChange(f"{PACKAGES_PAGE} > {DISTRIBUTION}", "setup uploaded it", versions, "deleted")

    def undo(self, setup: SetupContext) -> None:
        for package in _own_packages(setup):
            _delete(setup, package)
        setup.state.forget(self.id)


def _delete(setup: SetupContext, package: Entity) -> None:
    number = package.number("id")

    def is_gone() -> bool:
        return all(one.number("id") != number for one in _own_packages(setup))

    delete_once(setup, f"{setup.project.path}/packages/{number}", is_gone, PACKAGES_PAGE)


def path_of(setup: SetupContext) -> str:
    """The API path of the folder that holds the files."""
    return f"{setup.project.path}/packages/generic/{DISTRIBUTION}/{segment(setup.packed.version)}"


def _packages(setup: SetupContext) -> list[Entity]:
    rows = setup.gitlab.every(f"{setup.project.path}/packages", package_type="generic", package_name=DISTRIBUTION)
    return [row for row in rows if row.text("name") == DISTRIBUTION]


def _missing(setup: SetupContext) -> list[str]:
    """The names of the files that GitLab does not have with the same content."""
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in setup.packed.files.items()}
    found: dict[str, str] = {}
    for package in _packages(setup):
        if package.text("version") == setup.packed.version:
            for file in setup.gitlab.every(f"{setup.project.path}/packages/{package.number('id')}/package_files"):
                found[file.text("file_name")] = file.text("file_sha256")
    return [name for name, digest in sums.items() if found.get(name) != digest]


def _own_packages(setup: SetupContext) -> list[Entity]:
    versions = {*setup.state.record("package").get("versions", ()), setup.packed.version}
    return [package for package in _packages(setup) if package.text("version") in versions]
