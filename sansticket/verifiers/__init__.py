"""Ready-made answers to ``VerifyPeer`` for what ``cryptography`` does not verify.

``sansticket.verifiers.pyopenssl`` needs pyOpenSSL: ``pip install sansticket[pyopenssl]``.
See ``docs/certificates.md``.
"""
