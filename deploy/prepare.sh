#!/usr/bin/env bash
# prepare.sh: makes what compose.yaml mounts and what belongs in no repository: secrets, certificates, folders.
# What is there already is left as it is. Run as root, so that each secret belongs to the user that reads it.
# HOST=numbering.example.org ./prepare.sh   for the name that the certificate is to bear.
set -euo pipefail
cd "$(dirname "$0")"

HOST=${HOST:-$(hostname -f)}
# Users inside the images, and the one who keeps what no container reads.
NODE=${NODE:-10001} PROMETHEUS=${PROMETHEUS:-65534} GRAFANA=${GRAFANA:-472} KEEPER=${KEEPER:-0}

umask 077
mkdir -p secrets settings
chmod 0755 secrets settings
install -d -m 0700 -o "$NODE" backup

# put FILE OWNER: what comes on stdin, unless the file is there.
put() {
    if [ -e "$1" ]; then
        cat >/dev/null
    else
        cat >"$1.part"
        chown "$2" "$1.part"
        chmod 0400 "$1.part"
        mv "$1.part" "$1"
    fi
}

openssl rand -hex 32 | put secrets/db_password "$KEEPER"
# libpq: host:port:database:user:password, and nobody else may read it
printf 'db:5432:numbering:numbering:%s\n' "$(cat secrets/db_password)" | put secrets/pgpass "$NODE"
openssl rand -hex 16 | put secrets/grafana_password "$GRAFANA"
: | put secrets/metrics_key "$PROMETHEUS" # filled by: docker compose run --rm web keys add (docs/deployment.md)

# An authority of this site's own and a certificate for this host, to be replaced by those of the hospital.
if [ ! -e secrets/tls_certificate.pem ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    openssl req -x509 -newkey rsa:3072 -nodes -days 3650 -subj "/CN=numbering authority of $HOST" \
        -addext keyUsage=critical,keyCertSign,cRLSign -keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
    openssl req -newkey rsa:3072 -nodes -subj "/CN=$HOST" -keyout "$work/host.key" -out "$work/host.csr" 2>/dev/null
    openssl x509 -req -in "$work/host.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 825 \
        -extfile <(printf 'subjectAltName=DNS:%s,DNS:web,DNS:receive\nextendedKeyUsage=serverAuth,clientAuth\nkeyUsage=critical,digitalSignature\n' "$HOST") \
        -out "$work/host.pem" 2>/dev/null
    put secrets/authority_key.pem "$KEEPER" <"$work/ca.key"
    put secrets/tls_authorities.pem "$KEEPER" <"$work/ca.pem"
    put secrets/tls_key.pem "$NODE" <"$work/host.key"
    put secrets/tls_certificate.pem "$NODE" <"$work/host.pem"
    chmod 0444 secrets/tls_authorities.pem secrets/tls_certificate.pem
fi

[ -e settings/settings.toml ] || install -m 0644 settings/hospital.toml settings/settings.toml
echo "Ready for $HOST. Now: edit settings/settings.toml, then docker compose up -d"
