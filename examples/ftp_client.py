"""A file over FTP and TLS, from a server that requires reuse: python -m examples.ftp_client HOST PORT ca.pem FILE"""

import sys
from pathlib import Path

from sansticket import ClientConfig, TrustAnchors
from sansticket_wrappers.blocking import SSLContext
from sansticket_wrappers.ftplib import FTP_TLS

if len(sys.argv) != 5:
    sys.exit(__doc__)
host, port, ca, name = sys.argv[1:]
anchors = TrustAnchors.from_pem(Path(ca).read_bytes())
with FTP_TLS(context=SSLContext(ClientConfig(trust_anchors=anchors))) as ftp:
    ftp.connect(host, int(port), timeout=60)
    ftp.login()
    ftp.prot_p()
    ftp.retrbinary(f"RETR {name}", sys.stdout.buffer.write)
