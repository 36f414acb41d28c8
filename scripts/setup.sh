#!/usr/bin/env bash
# Installs what scripts/packages.txt names and this machine lacks. A second run installs nothing and asks no server.
set -euo pipefail
list="$(dirname "${BASH_SOURCE[0]}")/packages.txt"

mapfile -t wanted < <(sed 's/#.*//' "$list" | awk 'NF { print $1 }')
if ! command -v dpkg-query >/dev/null; then
    echo "setup: this is not a Debian system, so nothing is installed here. Needed, by Debian's names: ${wanted[*]}" >&2
    exit 0
fi

missing=()
for package in "${wanted[@]}"; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [[ $status == installed ]] || missing+=("$package")
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
echo "setup: installing ${missing[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
"${apt[@]}" update
"${apt[@]}" install --yes --no-install-recommends "${missing[@]}" </dev/null
