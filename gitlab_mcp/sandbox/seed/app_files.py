"""The files and commits of acme/app, a small command line program."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from gitlab_mcp.sandbox.git.repository import Repository
from gitlab_mcp.sandbox.seed.history import EXECUTABLE, LINK, SUBMODULE, History

_README = """# app

Reads a configuration file and prints what it would do.

## Use

    app --config app.yml

See [the usage page](docs/usage.md).
"""
_CONFIG_1 = '''"""Reading the configuration file."""

from pathlib import Path


def load_config(path: Path) -> dict[str, str]:
    """Read `name: value` lines."""
    text = path.read_text(encoding="utf-8")
    config = {}
    for line in text.splitlines():
        name, value = line.split(":", 1)
        config[name.strip()] = value.strip()
    return config
'''
_CONFIG = '''"""Reading the configuration file."""

from pathlib import Path

KNOWN = ("name", "target", "retries")


def load_config(path: Path) -> dict[str, str]:
    """Read `name: value` lines; lines that begin with # are comments."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if lines[0].startswith("#!"):
        lines = lines[1:]
    config = {}
    for line in lines:
        if line.strip() and not line.startswith("#"):
            name, value = line.split(":", 1)
            config[name.strip()] = value.strip()
    return config


def unknown_names(config: dict[str, str]) -> list[str]:
    """Names that the program does not know."""
    return [name for name in config if name not in KNOWN]
'''
_CLI = '''"""The command line."""

import argparse
from pathlib import Path

from app.config import load_config, unknown_names


def main() -> None:
    parser = argparse.ArgumentParser(prog="app")
    parser.add_argument("--config", type=Path, default=Path("app.yml"))
    options = parser.parse_args()
    config = load_config(options.config)
    for name in unknown_names(config):
        print(f"unknown: {name}")
    print(f"target: {config.get('target', 'none')}")
'''
_VERBOSE_CLI = _CLI.replace(
    "    options = parser.parse_args()\n",
    '    parser.add_argument("--verbose", action="store_true", help="say what is read")\n'
    "    options = parser.parse_args()\n"
    "    if options.verbose:\n"
    '        print(f"reading {options.config}")\n',
)
_LEGACY = '''"""The old reader of INI files. Nothing uses it since 1.2."""

import configparser


def load_ini(path):
    parser = configparser.ConfigParser()
    parser.read(path)
    return dict(parser["app"])
'''
_TEST = """from pathlib import Path

from app.config import load_config, unknown_names


def test_values_are_read(tmp_path: Path) -> None:
    path = tmp_path / "app.yml"
    path.write_text("name: demo\\ntarget: prod\\n")
    assert load_config(path) == {"name": "demo", "target": "prod"}


def test_unknown_names_are_found() -> None:
    assert unknown_names({"name": "x", "colour": "red"}) == ["colour"]
"""
_USAGE = """# Usage

| option | meaning |
|---|---|
| `--config PATH` | the configuration file, `app.yml` unless given |

The file holds one `name: value` a line.
"""
_CI = """stages: [test]

test:
  stage: test
  image: python:3.12-slim
  script:
    - pip install -e . pytest
    - pytest
"""
_RELEASE = """#!/bin/sh
# Tag a release: scripts/release.sh 1.4.0
set -eu
version=$1
git tag -a "v$version" -m "Version $version"
git push origin "v$version"
"""
_LICENSE = """Permission is hereby granted to use, copy, change and pass on this
sample program for any purpose. It comes without any warranty.
"""
_OPTIONS = "# Übersicht der Optionen\n\n- `--config`: die Datei mit den Einstellungen\n"
_CHANGES_12 = "# Changes\n\n## 1.2.0\n\n- The configuration file may be anywhere (`--config`).\n"
_CHANGES_13 = "# Changes\n\n## 1.3.0\n\n- Comments in the configuration file.\n- Unknown names are reported.\n"
_MODULES = '[submodule "vendor/lib"]\n\tpath = vendor/lib\n\turl = ../lib.git\n'
# A picture of one pixel.
_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_SUBMODULE_COMMIT = "5f1c0de0b8f64b5b7c7f3ac0a3b1ac3ddc1f0e57"


def _day(month: int, day: int, hour: int = 10) -> datetime:
    return datetime(2026, month, day, hour, 15, tzinfo=UTC)


def write(repository: Repository) -> None:
    """Write the branches main, feature/verbose-flag and stale/no-commits, and two tags."""
    history = History()
    history.commit(
        "main",
        "maintainer",
        _day(1, 12),
        "Start the app\n",
        {
            "README.md": _README,
            "LICENSE": _LICENSE,
            ".gitlab-ci.yml": _CI,
            "pyproject.toml": '[project]\nname = "app"\nversion = "1.3.0"\n\n[project.scripts]\napp = "app.cli:main"\n',
            "src/app/__init__.py": '"""A small command line program."""\n',
            "src/app/config.py": _CONFIG_1,
            "src/app/legacy.py": _LEGACY,
            "docs/usage.md": _USAGE,
        },
    )
    history.commit(
        "main",
        "developer",
        _day(2, 20),
        "Add the command line and a changelog\n",
        {"src/app/cli.py": _CLI.replace(", unknown_names", ""), "CHANGELOG.md": _CHANGES_12},
    )
    history.tag("v1.2.0", "maintainer", _day(2, 21), "Version 1.2.0\n", "main")
    history.commit(
        "main",
        "developer",
        _day(5, 4),
        "Report unknown names in the configuration\n\nComments in the file are skipped now.\n",
        {"src/app/config.py": _CONFIG, "src/app/cli.py": _CLI, "tests/test_config.py": _TEST},
    )
    history.commit(
        "main",
        "maintainer",
        _day(6, 9),
        "Release 1.3.0\n",
        {"CHANGELOG.md": _CHANGES_13 + _CHANGES_12[9:], "scripts/release.sh": (EXECUTABLE, _RELEASE)},
    )
    history.tag("v1.3.0", "maintainer", _day(6, 9, 12), "Version 1.3.0\n", "main")
    history.commit(
        "main",
        "reporter",
        _day(9, 1),
        "Describe the options in German, add the logo\n",
        {
            "docs/übersicht der optionen.md": _OPTIONS,
            "docs/latest": (LINK, "usage.md"),
            "docs/logo.png": _PNG,
            ".gitmodules": _MODULES,
            "vendor/lib": (SUBMODULE, _SUBMODULE_COMMIT),
        },
    )
    history.branch("stale/no-commits", "main")
    history.commit(
        "feature/verbose-flag",
        "developer",
        _day(11, 2),
        "Add --verbose\n",
        {"src/app/cli.py": _VERBOSE_CLI},
        start="main",
    )
    history.commit(
        "feature/verbose-flag",
        "developer",
        _day(11, 3),
        "Describe --verbose\n",
        {"docs/usage.md": _USAGE.replace("\nThe file", "| `--verbose` | say what is read |\n\nThe file", 1)},
    )
    history.write(repository)
