"""Collected where the extra ``libraries`` is installed: ``tox -e libraries``."""

from tests.support.libraries import not_installed

collect_ignore_glob = ["test_*.py"] if not_installed() else []
