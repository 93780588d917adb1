#!/usr/bin/env bash
# The Debian packages that the tests use. Nothing to do: silent. As root: installs what is missing. Else: one message.
set -euo pipefail

# program or library that is looked for : package that has it
needs=(
    storescu:dcmtk
    dciodvfy:dicom3tools
    redis-server:redis-server
    Orthanc:orthanc
    /usr/share/orthanc/plugins/libOrthancDicomWeb.so:orthanc-dicomweb
    /usr/lib/postgresql:postgresql
    libGL.so.1:libgl1
    docker-compose:docker-compose
    promtool:prometheus
    shellcheck:shellcheck
    systemd-analyze:systemd
    openssl:openssl
    libgthread-2.0.so.0:libglib2.0-0
)

present() {
    case $1 in
    /*) [ -e "$1" ] ;;
    lib*.so*) { ldconfig -p 2>/dev/null || /sbin/ldconfig -p; } | grep -qF "$1" ;;
    *) PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null ;;
    esac
}

missing=()
for need in "${needs[@]}"; do
    present "${need%%:*}" || missing+=("${need##*:}")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing what the tests use: ${missing[*]}" >&2
    # Daemons come with two of the packages; the tests start their own, so none is started here.
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    exit 0
fi
echo "The tests use programs that are not installed here. Install them with:" >&2
echo "    sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
exit 1
