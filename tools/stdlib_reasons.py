"""Why a test of the standard library fails with our context: by its class and method, as a pattern."""

from typing import Final

REASONS: Final[tuple[tuple[str, str], ...]] = (
    (
        r"ContextTests\.test_(_create_stdlib_context|check_hostname|constructor|verify_mode_protocol)"
        r"|ThreadedTests\.test_(PROTOCOL_TLS|protocol_tlsv1_2)|BasicSocketTests\.test_errors_sslwrap",
        "A context is for clients or for servers: PROTOCOL_TLS and the constants of single versions are refused.",
    ),
    (
        r"BasicSocketTests\.test_openssl111_deprecations",
        "PROTOCOL_TLS and the like are refused, and the options OP_NO_TLSv1 and so on taken without a"
        " DeprecationWarning.",
    ),
    (
        r"BasicSocketTests\.test_connect_ex_error|SimpleBackgroundTests\.test_connect_(with_context_)?fail"
        r"|ThreadedTests\.test_ssl_cert_verify_error|.*\.test_create_connection_ssl_failed_certificate"
        r"|.*EventLoopTests\.test_create_(unix_)?server_ssl_verify_failed",
        "A client that is to verify and trusts nobody: ConfigError says so before anything is sent, where OpenSSL lets"
        " the handshake fail.",
    ),
    (
        r".*\.test_(load_)?dh_params|SSLErrorTests\.test_lib_reason",
        "There is no finite field Diffie-Hellman.",
    ),
    (
        r"ContextTests\.test_verify_flags|ThreadedTests\.test_crl_check",
        "There are no revocation lists: what would turn them on is NotImplementedError.",
    ),
    (
        r"ThreadedTests\.test_verify_strict",
        "VERIFY_X509_STRICT changes nothing: the verifier has its own rules, and a leaf without an authority key"
        " identifier is one that it takes.",
    ),
    (
        r"(ContextTests|ThreadedTests)\.test_hostname_checks_common_name",
        "A common name is never a host name: hostname_checks_common_name is False, and stays so.",
    ),
    (
        r"SimpleBackgroundTests\.test_get_ca_certs_capath|ContextTests\.test_load_default_certs_env",
        "A folder of certificates is read when it is named, and not one by one when they are needed.",
    ),
    (
        r"ContextTests\.test_load_cert_chain",
        "A password that is none is TypeError as it should be, with other words.",
    ),
    (
        r"ContextTests\.test_context_custom_class",
        "A class of one's own for SSLObjects has to come from ours.",
    ),
    (
        r"SimpleBackgroundTests\.test_bio_handshake",
        "It looks at `_sslobj`, the object of OpenSSL inside of an SSLObject; there is none.",
    ),
    (
        r"TestPostHandshakeAuth\.test_internal_chain_client",
        "It compares what `repr` says of certificates of a private class.",
    ),
    (
        r"TestPostHandshakeAuth\.test_pha_required_nocert|TestSSLDebug\.test_msg_callback.*",
        "`_msg_callback` is a private hook that shows OpenSSL's messages; `on_event` is ours. (That it recurses without"
        " end comes from this test run, which puts our class under the name of the one that it comes from.)",
    ),
    (
        r"ThreadedTests\.test_psk(_tls1_3)?",
        "PSK is no name of a cipher, since no suite of TLS 1.2 here has one: the callbacks are there, for TLS 1.3.",
    ),
    (
        r"ThreadedTests\.test_sni_callback_(raising|wrong_return_type)",
        "The alert is the same, but the exception does not go to `sys.unraisablehook`.",
    ),
    (
        r"ThreadedTests\.test_tls_unique_channel_binding",
        "tls-unique is not there, since it means nothing in TLS 1.3: ValueError.",
    ),
    (
        r"ThreadedTests\.test_session_handling",
        "A session may be given to another context: what it stands for is checked when it is offered.",
    ),
    (
        r"ThreadedTests\.test_wrong_cert_tls13",
        "Our client shows only certificates of authorities that the server names, if it names any: the alert is"
        " certificate_required in place of unknown_ca.",
    ),
    (
        r"HTTPSTest\.test_tls13_pha",
        "It gives the context an argument that none has; the standard library's drops it, ours is TypeError.",
    ),
)
