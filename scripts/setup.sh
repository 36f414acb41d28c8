#!/usr/bin/env bash
# Installs what scripts/packages.txt names and this machine lacks, with --tests what scripts/packages-test.txt names as
# well. A second run installs nothing and asks no server.
set -euo pipefail
here="$(dirname "${BASH_SOURCE[0]}")"

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
missing=()
for package in "${wanted[@]}" "${optional[@]}"; do
    ! is_missing "$package" || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

as_root=()
if [[ $EUID -ne 0 ]]; then
    if ! command -v sudo >/dev/null; then
        echo "setup: missing: ${missing[*]}" >&2
        echo "setup: run as root: apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
"${apt[@]}" update
available=()
for package in "${missing[@]}"; do
    if [[ " ${optional[*]} " == *" $package "* ]] && ! apt-cache show "$package" >/dev/null 2>&1; then
        echo "setup: the package archive has no $package; tests that need it are skipped" >&2
    else
        available+=("$package")
    fi
done
[[ ${#available[@]} -gt 0 ]] || exit 0
echo "setup: installing ${available[*]}"
"${apt[@]}" install --yes --no-install-recommends "${available[@]}" </dev/null
