#!/usr/bin/env bash
# lighttpd 1.4.69 with mod_openssl (Debian 12: lighttpd and lighttpd-mod-openssl 1.4.69-1).
#
# `ssl.stek-file` names a file with a ticket key and the two times between which it seals, each a number of four bytes.
# lighttpd reads them with a sign.  A key that ends in 2^31 - 1 (January 2038) seals tickets; one that ends a second
# later has ended in 1901: it is read without a word, no ticket is given, and every client that comes back does a full
# handshake.  So whoever writes a key without an end as the largest number of four bytes has switched tickets off.
#
# Seen, clients of TLS 1.2:
#   expiry 2147483647: ticket
#   expiry 2147483648: no ticket
#
# Fails if one of the two changes.
set -euo pipefail
version=1.4.69-1
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get -qq download "lighttpd=$version" "lighttpd-mod-openssl=$version"
for package in ./*.deb; do dpkg-deb -x "$package" root; done
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout key.pem -out cert.pem \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
mkdir pages
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >lighttpd.conf <<END
server.modules = ("mod_openssl")
server.document-root = "$work/pages"
server.bind = "127.0.0.1"
server.port = $port
ssl.engine = "enable"
ssl.pemfile = "$work/cert.pem"
ssl.privkey = "$work/key.pem"
ssl.stek-file = "$work/stek"
END

seen() {
    # Version, activation and expiry in the byte order of the machine; then name, HMAC key and AES key.
    python3 -c 'import os, struct, sys
sys.stdout.buffer.write(struct.pack("=III", 0, 1, int(sys.argv[1])) + os.urandom(80))' "$1" >stek
    root/usr/sbin/lighttpd -D -f lighttpd.conf -m "$work/root/usr/lib/lighttpd" 2>server.txt &
    server=$!
    for _ in $(seq 50); do
        openssl s_client -connect "127.0.0.1:$port" -tls1_2 </dev/null >client.txt 2>&1 && break
        sleep 0.2
    done
    kill "$server" && { wait "$server" || true; }
    server=
    grep -q 'Cipher is ECDHE' client.txt || { cat server.txt client.txt >&2; exit 1; }
    if grep -q 'TLS session ticket:' client.txt; then echo ticket; else echo "no ticket"; fi
}

for expected in "2147483647 ticket" "2147483648 no ticket"; do
    expiry=${expected%% *}
    got=$(seen "$expiry")
    echo "expiry $expiry: $got"
    [ "$got" = "${expected#* }" ] || { echo "it was ${expected#* }" >&2; exit 1; }
done
