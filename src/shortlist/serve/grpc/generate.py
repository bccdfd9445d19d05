"""Makes the Python of the services from `protos/`: `python -m shortlist.serve.grpc.generate`.

What it writes is committed, so that running needs no compiler; a test compares.
"""

from __future__ import annotations

import sys
from pathlib import Path

from grpc_tools import protoc

PACKAGE = "shortlist/serve/grpc"
"""Where the files go below the source root, and so how they import each other."""


def generate(protos: Path, root: Path) -> list[Path]:
    """Write the modules of every proto.

    Args:
        protos: the folder with the `.proto` files.
        root: the source root; modules go to its `shortlist/serve/grpc`, which must be there.

    Returns:
        The files that were written.

    Raises:
        ValueError: a proto does not compile; the compiler has said why on stderr.
    """
    names = sorted(path.name for path in protos.glob("*.proto"))
    arguments = [
        "protoc",
        f"-I{PACKAGE}={protos}",
        f"--python_out={root}",
        f"--pyi_out={root}",
        f"--grpc_python_out={root}",
        *(f"{PACKAGE}/{name}" for name in names),
    ]
    if protoc.main(arguments) != 0:
        raise ValueError("a proto does not compile")
    kinds = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py")
    return [root / PACKAGE / f"{Path(name).stem}{kind}" for name in names for kind in kinds]


def main() -> None:
    """Write them beside this file, from the repository's protos."""
    root = Path(__file__).parents[3]
    for path in generate(root.parent / "protos", root):
        print(path, file=sys.stderr)


if __name__ == "__main__":
    main()
