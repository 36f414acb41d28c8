#!/usr/bin/env bash
# Installs what scripts/packages.txt names and this machine lacks, with --tests what scripts/packages-test.txt names as
# well. A second run installs nothing and asks no server.
set -euo pipefail
here="$(dirname "${BASH_SOURCE[0]}")"
source "$here/steps.sh"

packages_of() { sed 's/#.*//' "$1" | awk 'NF { print $1 }'; }
mapfile -t wanted < <(packages_of "$here/packages.txt")
optional=()
case ${1:-} in
'') ;;
--tests) mapfile -t optional < <(packages_of "$here/packages-test.txt") ;;
*) echo "usage: scripts/setup.sh [--tests]" >&2 && exit 2 ;;
esac
if ! command -v dpkg-query >/dev/null; then
    echo "setup: this is not a Debian system, so nothing is installed here. Needed, by Debian's names: ${wanted[*]} ${optional[*]}" >&2
    exit 0
fi

is_missing() {
    local status
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null || true)
    [[ $status != installed ]]
}
# missing_of PACKAGE…: those of them that are not installed, one a line.
missing_of() {
    local package
    for package in "$@"; do
        ! is_missing "$package" || echo "$package"
    done
}
mapfile -t missing < <(missing_of "${wanted[@]}")
mapfile -t missing_optional < <(missing_of "${optional[@]}")
[[ $((${#missing[@]} + ${#missing_optional[@]})) -gt 0 ]] || exit 0

skipped() { echo "setup: without $*: tests that need it are skipped" >&2; }
as_root=()
if [[ $EUID -ne 0 ]]; then
    if ! command -v sudo >/dev/null; then
        if [[ ${#missing[@]} -eq 0 ]]; then
            skipped "${missing_optional[*]}"
            exit 0
        fi
        echo "setup: missing: ${missing[*]}" >&2
        echo "setup: run as root: apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
# RUNLEVEL=1 keeps packages with a service (prometheus) from starting it: the tests start their own.
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq -o DPkg::Lock::Timeout=300)
install() { "${apt[@]}" install --yes --no-install-recommends "$@" </dev/null; }
steps $((1 + (${#missing[@]} > 0) + (${#missing_optional[@]} > 0)))
step "reading Debian's package lists"
listed=yes
"${apt[@]}" update || listed=no
if [[ ${#missing[@]} -gt 0 ]]; then
    [[ $listed == yes ]] || exit 1
    step "installing ${missing[*]}"
    install "${missing[@]}"
fi
if [[ ${#missing_optional[@]} -gt 0 ]]; then
    step "installing ${missing_optional[*]}, for tests"
    { [[ $listed == yes ]] && install "${missing_optional[@]}"; } || skipped "${missing_optional[*]}"
fi
finished
