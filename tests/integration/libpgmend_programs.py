"""Where the build has libpgmend without sanitizers, and the programs over it (helpers/meson.build)."""

from conftest import find_binary

HELPERS = "tests/integration/helpers"


def program(name):
    return find_binary().parent / HELPERS / name


def library():
    """For Python, valgrind and the like; a build without sanitizers has no other."""
    plain = program("libpgmend-plain.so")
    return plain if plain.exists() else find_binary().parent / "libpgmend.so"
