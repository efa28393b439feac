"""The manual page and the completion for bash, made from the command line itself, so that no verb or option is missing.

    python scripts/manual.py man           monzen(1) to standard output, in the language of LANGUAGE
    python scripts/manual.py completion    the completion for bash
"""

from __future__ import annotations

import argparse
import gettext
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import NamedTuple

from monzen.cli import parser
from monzen.show.words import _, speak_also

JAPANESE = {
    "NAME": "名前",
    "SYNOPSIS": "書式",
    "DESCRIPTION": "説明",
    "VERBS": "動詞",
    "OPTIONS": "オプション",
    "EXAMPLES": "例",
    "FILES": "ファイル",
    "EXIT STATUS": "終了ステータス",
    "ENVIRONMENT": "環境変数",
    "SEE ALSO": "関連項目",
    "turns away whom the logs of a mail server show to be attackers": "メールサーバーのログを読み、攻撃者を門前払いにする",
    "Every verb has its own help:": "動詞ごとのヘルプ：",
    "the configuration; every key may be left out": "設定ファイル。どのキーも省略できます",
    "the ledger: who is denied, why, since when, until when": "台帳：だれを、なぜ、いつから、いつまで拒否しているか",
    "whether what the guard finds is denied": "見つけた攻撃者を実際に拒否するかどうか",
    "what the guard remembers of the logs": "ログについて monzen が覚えていること",
    "done, whatever was found": "完了（何が見つかったかは問わない）",
    "the answer is no": "答えは「いいえ」",
    "wrong use, or unreadable input": "使い方の誤り、または読めない入力",
    "the language: English or Japanese. JSON is not translated.": "表示の言語（英語か日本語）。JSON は翻訳されません。",
    "the time zone of stamps that name none": "タイムゾーンのない時刻の扱い",
}
FILES = (
    ("/etc/monzen/monzen.toml", "the configuration; every key may be left out"),
    ("/var/lib/monzen/ledger.db", "the ledger: who is denied, why, since when, until when"),
    ("/var/lib/monzen/mode", "whether what the guard finds is denied"),
    ("/var/lib/monzen-run/", "what the guard remembers of the logs"),
)
STATUSES = (("0", "done, whatever was found"), ("1", "the answer is no"), ("2", "wrong use, or unreadable input"))
ENVIRONMENT = (
    ("LANGUAGE, LC_ALL, LC_MESSAGES, LANG", "the language: English or Japanese. JSON is not translated."),
    ("TZ", "the time zone of stamps that name none"),
)


class Verb(NamedTuple):
    """A verb as it is typed (`gate enable`; "" for monzen itself) and its parser."""

    name: str
    says: str
    parser: argparse.ArgumentParser


def verbs(of: argparse.ArgumentParser, name: str = "", says: str = "") -> Iterator[Verb]:
    """This parser and those below it, in the order of the help."""
    yield Verb(name, says or of.description or "", of)
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            known = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for word, below in action.choices.items():
                yield from verbs(below, f"{name} {word}".strip(), known.get(word, ""))


def options(of: argparse.ArgumentParser) -> list[argparse.Action]:
    """What begins with a dash."""
    return [a for a in of._actions if a.option_strings]


def arguments(of: argparse.ArgumentParser) -> list[argparse.Action]:
    """What does not; no further verbs."""
    return [a for a in of._actions if not a.option_strings and not isinstance(a, argparse._SubParsersAction)]


def takes(action: argparse.Action) -> str:
    """What stands behind an option: `TIME`, `{allow,deny}`, or nothing."""
    if action.nargs == 0:
        return ""
    if action.choices:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return str(action.metavar or action.dest.upper())


# ---- the manual page


def said(text: str) -> str:
    """A text of this script, in the language of the page."""
    return JAPANESE.get(text, text) if in_japanese() else text


def in_japanese() -> bool:
    """Whether the page becomes Japanese: as the catalogue answers."""
    return _("show this help") != "show this help"


def roff(text: str) -> str:
    """Text as groff takes it: no dash becomes a hyphen, no line begins with a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("^", "\\(ha").replace("~", "\\(ti")
    return "\n".join("\\&" + line if line.startswith((".", "'", "\\(aq")) else line for line in text.split("\n"))


def row(term: str, text: str) -> list[str]:
    """A term in bold and what it means."""
    return [".TP", f"\\fB{roff(term)}\\fR" if not term.startswith("\\f") else term, roff(" ".join(text.split()))]


def option_row(action: argparse.Action) -> list[str]:
    """An option with what it takes."""
    value = takes(action)
    term = ", ".join(f"\\fB{roff(word)}\\fR" for word in action.option_strings) + (f" \\fI{roff(value)}\\fR" if value else "")
    return row(term, (action.help or "") % {"default": action.default})


def below(verb: Verb) -> bool:
    """Whether it has verbs of its own."""
    return any(isinstance(a, argparse._SubParsersAction) for a in verb.parser._actions)


def usage(verb: Verb) -> str:
    """`monzen gate enable [-h] ...` in one line."""
    return " ".join(verb.parser.format_usage().partition(":")[2].split())


def page() -> str:
    """monzen(1)."""
    top, *rest = verbs(parser())
    out = [
        '.\\" Made by scripts/manual.py from the command line itself.',
        f'.TH MONZEN 1 "" "monzen {version("monzen")}" "monzen"',
        ".ad l",  # Japanese has no blanks to widen
        ".nh",
        f".SH {said('NAME')}",
        f"monzen \\- {said('turns away whom the logs of a mail server show to be attackers')}",
        f".SH {said('SYNOPSIS')}",
        roff("monzen [--help] [--version]"),
        *(f".HP 4\n{roff(usage(verb))}" for verb in rest if not below(verb)),
        f".SH {said('DESCRIPTION')}",
        roff(top.says),
        roff(f"{said('Every verb has its own help:')} monzen VERB --help"),
        f".SH {said('OPTIONS')}",
    ]
    for action in options(top.parser):
        out += option_row(action)
    out.append(f".SH {said('VERBS')}")
    for verb in rest:
        out += [f".SS monzen {roff(verb.name)}", roff(verb.parser.description or verb.says)]
        for action in arguments(verb.parser):
            out += row(f"\\fI{roff(takes(action))}\\fR", action.help or "")
        for action in options(verb.parser):
            if "--help" not in action.option_strings:
                out += option_row(action)
        examples = (verb.parser.epilog or "").partition("\n")[2]
        if examples:
            out += [".PP", f"{said('EXAMPLES').capitalize()}:", ".PP", ".nf", roff(examples), ".fi"]
    for title, table in (("FILES", FILES), ("EXIT STATUS", STATUSES), ("ENVIRONMENT", ENVIRONMENT)):
        out.append(f".SH {said(title)}")
        for term, text in table:
            out += row(term, said(text))
    out += [f".SH {said('SEE ALSO')}", "ufw(8), nft(8), journalctl(1), systemctl(1)", roff("/usr/share/doc/monzen/")]
    return "\n".join(out) + "\n"


# ---- the completion for bash

HEAD = """\
# bash completion for monzen, made by scripts/manual.py from the command line itself.

_monzen() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb= at
    for ((at = 1; at < COMP_CWORD; at++)); do
        case "$verb/${COMP_WORDS[at]}" in
"""
MIDDLE = """\
        esac
    done
    local words= values= files=
    case $verb in
"""
TAIL = """\
    esac
    case $values in
    FILE) COMPREPLY=($(compgen -f -- "$word")) ;;
    ANY) COMPREPLY=() ;;
    ?*) COMPREPLY=($(compgen -W "$values" -- "$word")) ;;
    *)
        COMPREPLY=($(compgen -W "$words" -- "$word"))
        [[ -z $files || $word == -* ]] || COMPREPLY+=($(compgen -f -- "$word"))
        ;;
    esac
} && complete -o filenames -F _monzen monzen
"""
TOLD = {"--compare": "fail2ban crowdsec sshguard", **dict.fromkeys(("--policy", "--routes", "--config", "--output"), "FILE")}


def values(action: argparse.Action) -> str:
    """What may stand behind an option: words, FILE or ANY."""
    told = next((TOLD[word] for word in action.option_strings if word in TOLD), "ANY")
    return " ".join(map(str, action.choices)) if action.choices else told


def completion() -> str:
    """The completion for bash."""
    out = [HEAD]
    found = list(verbs(parser()))
    for verb in found:
        if verb.name:
            above, _space, word = verb.name.rpartition(" ")
            out.append(f"        '{above}/{word}') verb='{verb.name}' ;;\n")
    out.append(MIDDLE)
    for verb in found:
        further = [v.name.rpartition(" ")[2] for v in found if v.name and v.name.rpartition(" ")[0] == verb.name]
        flags = [word for action in options(verb.parser) for word in action.option_strings]
        out.append(f"    '{verb.name}')\n        words='{' '.join([*further, *flags])}'\n")
        if any(a.dest in ("file", "files", "what") for a in arguments(verb.parser)):
            out.append("        files=yes\n")
        rows = [(a.option_strings, values(a)) for a in options(verb.parser) if a.nargs != 0]
        if rows:
            out.append("        case $before in\n")
            out += [f"        {' | '.join(words)}) values='{those}' ;;\n" for words, those in rows]
            out.append("        esac\n")
        out.append("        ;;\n")
    out.append(TAIL)
    return "".join(out)


def main() -> None:
    """The command."""
    if sys.argv[1:] not in (["man"], ["completion"]):
        sys.exit("usage: scripts/manual.py man | completion")
    speak_also(gettext)
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]  # a stream of text
    sys.stdout.write(page() if sys.argv[1] == "man" else completion())


if __name__ == "__main__":
    main()
