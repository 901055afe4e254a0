# Makes the private Python environment .venv; sourced by `run` and `test`, which set `root`.
# shellcheck shell=sh

venv=$root/.venv
log=$venv/install.log
# Set for other Pythons and other folders, these would lead ours astray.
unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_ROOT PIP_CONSTRAINT PIP_REQUIRE_VIRTUALENV
# Container images set this one; each of our processes would compile everything anew.
unset PYTHONDONTWRITEBYTECODE
PIP_USER=0
export PIP_USER

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "$@"
    exit 1
}

# prepare NAME: when it returns, .venv holds what requirements/NAME.txt pins, and Darkroom.
prepare() {
    lock=$root/requirements/$1.txt
    stamp=$venv/$1.stamp
    if is_ready; then
        return
    fi
    find_python
    mkdir -p "$venv" 2>/dev/null ||
        fail "$root cannot be written by $(id -un): use a copy of your own."
    take_turn
    if ! is_ready; then
        printf 'Setting up Darkroom in .venv, once; this takes about a minute ... ' >&2
        install
        wanted >"$stamp.new"
        mv -f "$stamp.new" "$stamp"
        rm -f "$venv/unfinished"
        say done.
    fi
    # Let the next one in, and do not hand the lock to what is started from here.
    exec 9>&-
}

# What a finished setup was made from; a moved folder or a changed pin makes another line.
wanted() { { printf '%s\n' "$root" && cat "$lock" "$root/pyproject.toml"; } | cksum; }

is_ready() {
    [ -f "$stamp" ] && [ ! -e "$venv/unfinished" ] && [ "$(cat "$stamp")" = "$(wanted)" ] && works
}

# A Python that was upgraded or removed under .venv leaves it without its packages.
works() {
    "$venv/bin/python" -I -c '
import importlib.util, sys
sys.exit(sys.version_info < (3, 11) or not importlib.util.find_spec("darkroom"))' 2>/dev/null
}

# Sets `python` to the first Python that is new enough; the variable PYTHON names another.
find_python() {
    for python in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11; do
        if "$python" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            check_python
            return
        fi
        [ -z "${PYTHON:-}" ] || fail "PYTHON=$PYTHON is not a Python 3.11 or newer."
    done
    fail "Darkroom needs Python 3.11 or newer: install it (Debian, Ubuntu: apt install python3" \
        "python3-venv; macOS: brew install python), or name one with PYTHON=/path/to/python3."
}

check_python() {
    reason=$("$python" -I -c '
import os, sys, sysconfig
if os.name != "posix":
    print("Darkroom runs on Linux and macOS: on Windows, start it inside WSL.")
elif sys.maxsize < 2**32:
    print("This Python is a 32-bit one: Darkroom needs a 64-bit Python.")
elif "musl" in "".join(map(str, sysconfig.get_config_vars("SOABI", "HOST_GNU_TYPE"))):
    print("This Linux is built on musl (Alpine), for which the bundled PostgreSQL does not exist:"
          " use a distribution with glibc, such as Debian or Fedora.")
else:
    try:
        import ensurepip, venv
    except ImportError:
        version = "%d.%d" % sys.version_info[:2]
        print(f"Python {version} lacks its venv module: install it"
              f" (Debian, Ubuntu: apt install python3-venv, or python{version}-venv).")') ||
        fail "$python does not work."
    [ -z "$reason" ] || fail "$reason"
}

# One setup at a time: a lock on descriptor 9, which the kernel gives back however this shell ends.
take_turn() {
    exec 9>>"$venv/lock"
    "$python" -I -c '
import fcntl, sys
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("Waiting for another start that is setting up .venv ...", file=sys.stderr)
    fcntl.flock(9, fcntl.LOCK_EX)' || fail "$venv/lock cannot be locked."
}

install() {
    if ! is_usable; then
        # What a cut-off setup or another folder left may be half of something. The lock file stays.
        for old in "$venv"/* "$venv"/.[!.]*; do
            [ "$old" = "$venv/lock" ] || rm -rf "$old"
        done
        : >"$venv/unfinished"
        "$python" -I -m venv "$venv" >"$log" 2>&1 || explain
    fi
    : >"$venv/unfinished"
    : >"$log"
    fetch --require-hashes --only-binary :all: -r "$lock" || explain
    fetch --no-deps --no-build-isolation -e "$root" || explain
}

# Whether .venv can be installed into: whole, of this folder (scripts hold its path), with a pip.
is_usable() {
    [ ! -e "$venv/unfinished" ] && [ -x "$venv/bin/python" ] || return 1
    [ ! -e "$venv/bin/darkroom" ] || grep -qF "$venv/bin/" "$venv/bin/darkroom" || return 1
    "$venv/bin/python" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' || return 1
    "$venv/bin/python" -I -m pip --version || "$venv/bin/python" -I -m ensurepip
} >/dev/null 2>&1

fetch() {
    "$venv/bin/python" -I -m pip install --no-input --disable-pip-version-check \
        --progress-bar off "$@" >>"$log" 2>&1
}

# Says in one sentence why the setup failed, shows the end of its log, and ends the script.
explain() {
    say failed.
    tail -n 15 "$log" >&2
    say
    if grep -q -e 'No space left' -e 'Disk quota' "$log"; then
        fail "The disk is full: make room, then start again."
    elif grep -q -e 'NewConnectionError' -e 'NameResolutionError' -e 'Connection refused' \
        -e 'ConnectTimeout' -e 'ReadTimeout' -e 'ProxyError' -e 'SSLError' "$log"; then
        fail "The packages could not be fetched: check the network and pip's proxy and index" \
            "settings, then start again."
    elif grep -q 'No matching distribution found' "$log"; then
        fail "A package is not made for this machine ($(uname -sm), $("$python" -V)): use" \
            "64-bit Linux with glibc or macOS, and a Python from 3.11 to 3.14."
    elif grep -q 'DO NOT MATCH THE HASHES' "$log"; then
        fail "A package differs from the one that Darkroom was tested with: the package index" \
            "serves something else, so nothing was installed."
    fi
    fail "The setup failed; the whole log is $log."
}
