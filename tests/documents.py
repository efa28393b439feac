"""The documents as a test reads them: commands of monzen in them, and links between them."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = [ROOT / "README.md", ROOT / "README.ja.md", *sorted((ROOT / "docs").rglob("*.md"))]
MADE = {"reference.md", "formats.md", "real-mail.md", "policy.md"}  # by scripts, from what tests run anyway
READS = ("scan", "why", "report", "explain")  # the verbs that only read, of logs
COMMAND = re.compile(r"^(?:.*\| *)?(?:\$ )?(?:sudo )?monzen(?: (?P<rest>.*))?$")
INLINE = re.compile(r"`((?:sudo )?monzen [a-z-][^`]*)`")
PLACES = re.compile(r"\b[A-Z]{2,}\b|[\[\]{}<>…]|\.\.\.|[ぁ-ゖァ-ヶ一-鿿]")  # `monzen why ADDRESS`: to be filled in
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)|<(?:img|source)[^>]* (?:src|srcset)=\"([^\"]+)\"")


def japanese(path):
    """Whether a page is the Japanese one."""
    return path.name.endswith(".ja.md") or path.is_relative_to(ROOT / "docs/ja")


def arguments(command):
    """The words behind `monzen`, as a shell would give them; None where the line is no command of it."""
    command = re.split(r"\s{2,}(?!\S*$)|\s+#\s|\s{3,}|；|：", command.strip())[0].removesuffix("；")
    found = COMMAND.match(command)
    if found is None:
        return None
    try:
        words = shlex.split(found["rest"] or "")
    except ValueError:
        return None
    end = next((i for i, word in enumerate(words) if word in ("|", ">", "<", "&&", ";", "&", ">/dev/null")), len(words))
    return words[:end]


def marked(text):
    """Each line without what makes it code, and whether it is: indented by four, or between fences."""
    fenced = False
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or (line.startswith("    ") and not line.lstrip().startswith(("- ", "* "))):
            yield line if fenced else line[4:], True
        else:
            yield line, False


def blocks(text):
    """The lines of code."""
    return [line for line, code in marked(text) if code]


def commands(path):
    """Every command of monzen in a page, in order, as words, but what a command printed and what has a place to be filled in."""
    if path.name in MADE:
        return []
    found, printed = [], False
    for line, code in marked(path.read_text(encoding="utf-8")):
        if not code:
            printed = printed and not line.strip()
            typed = [inline.replace("\\|", "|") for inline in INLINE.findall(line)]
        elif line.startswith("$ "):
            printed, typed = True, [line]
        else:
            typed = [] if printed or line.startswith((" ", "\t")) else [line]
        for command in typed:
            words = arguments(command)
            if words is not None and not PLACES.search(re.split(r" #|  |'", command)[0]):
                found.append(words)
    return found


def links(path):
    """Links of a page to others here."""
    found = [a or b for a, b in LINK.findall(path.read_text(encoding="utf-8"))]
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def targets(path, link):
    """Whether a link of a page leads somewhere: to a file, and to a heading in it."""
    name, _hash, heading = link.partition("#")
    there = (path.parent / name).resolve() if name else path
    if not there.exists() or not there.is_relative_to(ROOT):
        return False
    if not heading:
        return True
    titles = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
    return heading in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
