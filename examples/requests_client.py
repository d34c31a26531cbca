"""requests that resume, also after a restart: python -m examples.requests_client URL ca.pem sessions"""

import sys
from pathlib import Path

import requests

from sansticket import ClientConfig, TrustAnchors
from sansticket_wrappers.blocking import SSLContext
from sansticket_wrappers.requests import ContextAdapter
from sansticket_wrappers.session_file import SessionFile

if len(sys.argv) != 4:
    sys.exit(__doc__)
url, ca, sessions = sys.argv[1:]
anchors = TrustAnchors.from_pem(Path(ca).read_bytes())
context = SSLContext(ClientConfig(trust_anchors=anchors, session_store=SessionFile(sessions)))
with requests.Session() as session:
    session.mount("https://", ContextAdapter(context))
    print(session.get(url, timeout=60).text, context.session_stats()["hits"])
