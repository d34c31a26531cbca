#!/usr/bin/env bash
# gnutls-cli 3.7.9 (Debian 12: gnutls-bin and libgnutls30 3.7.9-2+deb12u7), with any server.
#
# `gnutls-cli --recordsize N` takes blocks of 4,096 bytes from its standard input and gives each to the library once.  The
# library sends one record and says how much that was (gnutls_record_send(3)); the tool does not look.  So with a limit
# below 4,096 the rest of every block is gone, without an error and with exit status 0: whoever tries record_size_limit
# (RFC 8449) with this tool, or pipes a file through it, sees data missing that no peer has lost.  Of eight blocks eight
# records of 1,025 bytes arrive.
#
# Seen, of 32,768 bytes:
#   --recordsize 4096: 32768 arrived
#   --recordsize 1024: 8200 arrived
#
# Fails if one of the two changes.
set -euo pipefail
version=3.7.9-2+deb12u7
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq download "gnutls-bin=$version" "libgnutls30=$version" "libgnutls-dane0=$version"
for package in ./*.deb; do dpkg-deb -x "$package" root; done
libraries=$(dirname "$(find "$PWD/root" -name 'libgnutls.so.30' | head -n 1)")
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout key.pem -out cert.pem \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null

cat >receive.py <<'END'
"""How many bytes come on one connection: the port goes to standard output first, and then the number."""
import socket
import ssl

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
with socket.create_server(("127.0.0.1", 0)) as listener:
    listener.settimeout(20)
    print(listener.getsockname()[1], flush=True)
    raw, _ = listener.accept()
    raw.settimeout(20)
    with context.wrap_socket(raw, server_side=True) as connection:
        total = 0
        while data := connection.recv(65_536):
            total += len(data)
print(total)
END

arrived() {
    rm -f seen
    python3 receive.py >seen &
    server=$!
    until [ -s seen ]; do sleep 0.1; done
    { sleep 1; head -c 32768 /dev/zero; sleep 1; } | LD_LIBRARY_PATH=$libraries timeout 20 root/usr/bin/gnutls-cli \
        --recordsize "$1" --insecure --port "$(head -n 1 seen)" localhost >/dev/null 2>&1
    wait "$server"
    tail -n 1 seen
}

for expected in "4096 32768" "1024 8200"; do
    read -r size bytes <<<"$expected"
    seen=$(arrived "$size")
    echo "--recordsize $size: $seen arrived"
    [ "$seen" = "$bytes" ] || { echo "it was $bytes" >&2; exit 1; }
done
