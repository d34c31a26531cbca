"""``python -m tests.misbehaviours --seed 1 --count 5000``: so many misbehaviours, by chance; else all.

Each that ends otherwise than it must is a line, and the exit code is 1.  ``--only`` takes those whose description has
these words in it; ``--write`` writes the numbers into ``docs/misbehaviour.md``.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.misbehaviours import page
from tests.misbehaviours.catalogue import catalogue, counts, sample, wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.misbehaviours", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=len(catalogue()), help="how many; all without it")
    parser.add_argument("--only", default="", help="words of the description")
    parser.add_argument("--list", action="store_true", help="say what would be tried, and how it must end")
    parser.add_argument(
        "--write", action="store_true", help="write the numbers of all into the documentation"
    )
    options = parser.parse_args()
    if options.write:
        page.write()
        return 0
    chosen = [one for one in sample(options.seed, options.count) if options.only in str(one)]
    if options.list:
        for one in chosen:
            print(f"{one}: {one.end}")
        return 0
    start = time.process_time()
    found = wrong(chosen)
    for line in found:
        print(line)
    for kind, count in counts(chosen).most_common():
        print(f"{count:6} {kind}")
    seconds = time.process_time() - start
    print(
        f"{len(chosen):6} misbehaviours, {len(found)} with another end than they must have, {seconds:.0f} CPU seconds"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
