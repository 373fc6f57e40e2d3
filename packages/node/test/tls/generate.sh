#!/usr/bin/env bash
# Made the certificates of this folder, once. They protect nothing: they are there for the tests, and valid until 2124.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
touch "$work/index.txt"
echo 01 >"$work/serial"

ca() {
  openssl ca -batch -notext -config "$work/ca.cnf" -startdate 20240101000000Z -enddate 21240101000000Z "$@"
}

cat >"$work/ca.cnf" <<EOF
[ca]
default_ca = one
[one]
database = $work/index.txt
serial = $work/serial
unique_subject = no
new_certs_dir = $work
default_md = sha256
policy = any
[any]
commonName = supplied
[req]
distinguished_name = dn
[dn]
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:false
extendedKeyUsage = serverAuth
subjectAltName = DNS:hooks.test, DNS:localhost, IP:127.0.0.1
[other]
basicConstraints = CA:false
extendedKeyUsage = serverAuth
subjectAltName = DNS:other.test
[client]
basicConstraints = CA:false
extendedKeyUsage = clientAuth
EOF

key() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1"; }
request() { openssl req -new -config "$work/ca.cnf" -key "$1" -subj "/CN=$2" -out "$work/request.pem"; }

key "$work/ca-key.pem"
request "$work/ca-key.pem" "Hookrail test authority"
ca -selfsign -keyfile "$work/ca-key.pem" -extensions authority -in "$work/request.pem" -out ca.pem

for name in server other client; do
  key $name-key.pem
  request $name-key.pem "Hookrail test $name"
  ca -cert ca.pem -keyfile "$work/ca-key.pem" -extensions $name -in "$work/request.pem" -out $name.pem
done

openssl pkcs8 -topk8 -in client-key.pem -passout pass:open-sesame -out client-key-encrypted.pem
openssl pkcs12 -export -in client.pem -inkey client-key.pem -passout pass:open-sesame -out client.pfx
