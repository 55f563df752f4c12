"""Hooks of the site: the pages that lie outside docs/, and links to files that are no pages."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
ELSEWHERE = {
    "benchmarks.md": "benchmarks/README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "security.md": "SECURITY.md",
}
"""Page of the site -> the file of the repository that it shows."""
PAGES = {source: page for page, source in ELSEWHERE.items()} | {"README.md": "index.md"}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages whose text lies outside docs/."""
    for page, source in ELSEWHERE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links as the site has them: to its own pages; a file of the repository that is no page becomes its path."""
    path: str = page.file.src_uri
    folder = posixpath.dirname(ELSEWHERE.get(path, f"docs/{path}"))

    def changed(match: re.Match[str]) -> str:
        text, target, anchor = match.groups()
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        inside = posixpath.normpath(posixpath.join(folder, target))
        if inside in PAGES:
            return f"{text}({PAGES[inside]}{anchor})"
        if inside.startswith("docs/"):
            return f"{text}({inside.removeprefix('docs/')}{anchor})"
        if not (ROOT / inside).exists():
            raise SystemExit(f"{path}: link to {inside}, which does not exist")
        return f"`{inside}`"

    # Not in blocks of code.
    parts = re.split(r"(^```.*?^```)", markdown, flags=re.DOTALL | re.MULTILINE)
    link = re.compile(r"(\[[^\[\]]*\])\(([^()#\s]+)((?:#[^()\s]*)?)\)")
    return "".join(part if part.startswith("```") else link.sub(changed, part) for part in parts)
