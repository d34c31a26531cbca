"""Runs one target under Atheris: ``python -m fuzz.run target [options of libFuzzer] [folders]``."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import atheris


def main() -> None:
    """The package is imported here, under instrumentation, before anything else imports it."""
    target, arguments = sys.argv[1], sys.argv[2:]
    with atheris.instrument_imports(include=["sansticket"]):
        package = importlib.import_module("sansticket")
        for module in pkgutil.walk_packages(package.__path__, "sansticket."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    one_input = importlib.import_module(f"fuzz.targets.{target}").one_input
    atheris.Setup([sys.argv[0], *arguments], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
