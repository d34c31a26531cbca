"""The list of what is public, from the code.

python -m tools.api            print it
python -m tools.api --write    put it into docs/api.md
"""

from __future__ import annotations

import argparse
import importlib
import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tests.support.public import PUBLIC, names_of

PAGE: Final = Path(__file__).parent.parent / "docs/api.md"

HEAD: Final = """# What is public

Made by `python -m tools.api --write` from the code; a test holds it to that.

Public are the names on this page, their methods, properties and fields without an underscore, and the command line
(`python -m sansticket --help`). Within a major version they keep their meaning; a name that has to go works for one
more minor version, with a warning. So do the names that the modules of the second distribution, `sansticket_wrappers`,
list in their `__all__`: [wrappers.md](wrappers.md). Everything else is private: every module that is not named here,
whatever can be imported from it, and the texts of errors and reprs. Objects that a public field hands out, such as
`SelectConfig.client_hello` or a public key of `cryptography`, are there to be read, not to be made.

`help()` of each class shows its fields, with units, ranges and what is raised; `help(sansticket)` is the overview
by subject. Of an enumeration it shows no more than the names: what each stands for is in the source below it, where
editors find it, and in the reference on the site.
"""


CONSTANTS: Final = {
    "Account": "A flat mapping of names to plain values, which any log can write.",
    "ALERTS": "The alert of each `Reason`.",
    "ASK": "In `answers`: the question is answered by a later command.",
    "Answer": "How a question is answered: a function from the question to a command, or `ASK`.",
    "CHANNEL_BINDING_TYPES": "Those that `SSLObject.get_channel_binding` knows.",
    "DEFAULT_CIPHER_SUITES": "In the order of preference.",
    "DEFAULT_GROUPS": "In the order of preference, those that `cryptography` may lack among them.",
    "DEFAULT_SIGNATURE_SCHEMES": "In the order of preference, those that `cryptography` may lack among them.",
    "Entropy": "A function from a number to as many random bytes, such as `os.urandom`.",
    "NATIVE": "The `SessionCodec` of `Session.to_bytes`.",
    "CLAIM_RULES": "All rules of a session store that says who has used a session up.",
    "FRESH_RECORDER_RULES": "Those of a recorder that has just begun.",
    "REASONS": "The words that `reason_of` and `refusals_of` give.",
    "RECORDER_RULES": "All rules of a recorder of ClientHellos that has been there for a while.",
    "SCENARIOS": "Those that ship, by their names.",
    "RULES": "All rules of a session store.",
}
"""What has no docstring that the interpreter keeps."""


def page() -> str:
    """The text of ``docs/api.md``."""
    return HEAD + "".join(section for name in PUBLIC for section in _section(name))


def _section(name: str) -> Iterator[str]:
    module = importlib.import_module(name)
    yield f"\n## {name}\n\n{_first_sentence(module)}\n\n| | |\n|---|---|\n"
    for public in names_of(module):
        yield f"| `{public}` | {_described(module, public)} |\n"


def _described(module: Any, name: str) -> str:
    thing = getattr(module, name)
    if inspect.isclass(thing) or inspect.isfunction(thing):
        return _first_sentence(thing)
    return CONSTANTS[name]


def _first_sentence(thing: Any) -> str:
    """The first paragraph of its docstring, up to the end of the first sentence."""
    paragraph = " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())
    sentence, stop, _ = paragraph.partition(".  ")
    text = sentence + stop.strip()
    return text.replace("``", "`").replace("|", "\\|")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.api", description="The list of what is public.")
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    if parser.parse_args(arguments).write:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        print(page(), end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
