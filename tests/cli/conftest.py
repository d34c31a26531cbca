"""Running the command line inside the process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sansticket.__main__ import main

Output = Callable[..., list[str]]
Failure = Callable[..., str]


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> Output:
    """Runs a command that works and complains of nothing; the lines that it prints."""

    def run(*arguments: object) -> list[str]:
        assert main([str(argument) for argument in arguments]) == 0
        printed = capsys.readouterr()
        assert printed.err == ""
        return printed.out.splitlines()

    return run


@pytest.fixture
def failure(capsys: pytest.CaptureFixture[str]) -> Failure:
    """Runs a command that does not work; what it says of that."""

    def run(*arguments: object) -> str:
        assert main([str(argument) for argument in arguments]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith("sansticket: ")
        assert printed.err.count("\n") == 1
        return printed.err.removeprefix("sansticket: ").rstrip()

    return run


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Failure:
    """Runs a command line that is wrong; what it says of that."""

    def run(*arguments: object) -> str:
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        assert exit_.value.code == 2
        return capsys.readouterr().err

    return run
