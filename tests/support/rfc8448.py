"""Three handshakes of RFC 8448, as test vectors: its inputs and what must come out.

Messages are with their headers, records whole.  The server's long flights are here as messages only.
"""

from typing import Final

from attrs import frozen


def _hex(*parts: str) -> bytes:
    return bytes.fromhex("".join(parts))


@frozen
class Trace:
    """One handshake with TLS_AES_128_GCM_SHA256.

    ``hellos`` are the messages up to the ServerHello; ``flight`` is the server's up to its Finished without
    it; ``early`` is what the client sends between the two Finished.  ``secrets`` are the RFC's own names.
    """

    group: int
    client_private: bytes
    server_private: bytes
    client_share: bytes
    server_share: bytes
    hellos: tuple[bytes, ...]
    flight: tuple[bytes, ...]
    server_finished: bytes
    secrets: dict[str, bytes]
    client_finished: bytes = b""
    client_finished_record: bytes = b""
    early: tuple[bytes, ...] = ()
    client_close_record: bytes = b""
    server_close_record: bytes = b""


_CERTIFICATE: Final = _hex(
    "0b0001b9000001b50001b0308201ac30820115a003020102020102300d06092a864886f70d01010b0500300e310c300a",
    "06035504031303727361301e170d3136303733303031323335395a170d3236303733303031323335395a300e310c300a",
    "0603550403130372736130819f300d06092a864886f70d010101050003818d0030818902818100b4bb498f8279303d98",
    "0836399b36c6988c0c68de55e1bdb826d3901a2461eafd2de49a91d015abbc9a95137ace6c1af19eaa6af98c7ced4312",
    "0998e187a80ee0ccb0524b1b018c3e0b63264d449a6d38e22a5fda430846748030530ef0461c8ca9d9efbfae8ea6d1d0",
    "3e2bd193eff0ab9a8002c47428a6d35a8d88d79f7f1e3f0203010001a31a301830090603551d1304023000300b060355",
    "1d0f0404030205a0300d06092a864886f70d01010b05000381810085aad2a0e5b9276b908c65f73a7267170618a54c5f",
    "8a7b337d2df7a594365417f2eae8f8a58c8f8172f9319cf36b7fd6c55b80f21a03015156726096fd335e5e67f2dbf102",
    "702e608ccae6bec1fc63a42a99be5c3eb7107c3c54e9b9eb2bd5203b1c3b84e0a8b2f759409ba3eac9d91d402dcc0cc8",
    "f8961229ac9187b42b4de10000",
)

LEAF: Final = _CERTIFICATE[11:-2]
"""The server's certificate (DER), with an RSA key of 1024 bits."""

SIMPLE: Final = Trace(
    group=0x001D,
    client_private=_hex("49af42ba7f7994852d713ef2784bcbcaa7911de26adc5642cb634540e7ea5005"),
    server_private=_hex("b1580eeadf6dd589b8ef4f2d5652578cc810e9980191ec8d058308cea216a21e"),
    client_share=_hex("99381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c"),
    server_share=_hex("c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f"),
    hellos=(
        _hex(
            "010000c00303cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece700000613011303130201",
            "0000910000000b0009000006736572766572ff01000100000a00140012001d0017001800190100010101020103010400",
            "230000003300260024001d002099381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c002b00",
            "03020304000d0020001e040305030603020308040805080604010501060102010402050206020202002d00020101001c",
            "00024001",
        ),
        _hex(
            "020000560303a6af06a4121860dc5e6e60249cd34c95930c8ac5cb1434dac155772ed3e2692800130100002e00330024",
            "001d0020c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f002b00020304",
        ),
    ),
    flight=(
        _hex("080000240022000a00140012001d00170018001901000101010201030104001c0002400100000000"),
        _CERTIFICATE,
        _hex(
            "0f000084080400805a747c5d88fa9bd2e55ab085a61015b7211f824cd484145ab3ff52f1fda8477b0b7abc90db78e2d3",
            "3a5c141a078653fa6bef780c5ea248eeaaa785c4f394cab6d30bbe8d4859ee511f602957b15411ac027671459e46445c",
            "9ea58c181e818e95b8c3fb0bf3278409d3be152a3da5043e063dda65cdf5aea20d53dfacd42f74f3",
        ),
    ),
    server_finished=_hex("140000209b9b141d906337fbd2cbdce71df4deda4ab42c309572cb7fffee5454b78f0718"),
    client_finished=_hex("14000020a8ec436d677634ae525ac1fcebe11a039ec17694fac6e98527b642f2edd5ce61"),
    client_finished_record=_hex(
        "170303003575ec4dc238cce60b298044a71e219c56cc77b0517fe9b93c7a4bfc44d87f38f80338ac98fc46deb384bd1c",
        "aeacab6867d726c40546",
    ),
    client_close_record=_hex("1703030013c9872760655666b74d7ff1153efd6db6d0b0e3"),
    server_close_record=_hex("1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9"),
    secrets={
        "shared": _hex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d"),
        "early": _hex("33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a"),
        "handshake": _hex("1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac"),
        "master": _hex("18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919"),
        "c hs traffic": _hex("b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21"),
        "s hs traffic": _hex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38"),
        "c ap traffic": _hex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"),
        "s ap traffic": _hex("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643"),
        "exp master": _hex("fe22f881176eda18eb8f44529e6792c50c9a3f89452f68d8ae311b4309d3cf50"),
        "res master": _hex("7df235f2031d2a051287d02b0241b0bfdaf86cc856231f2d5aba46c434ec196c"),
        "resumption": _hex("4ecd0eb6ec3b4d87f5d6028f922ca4c5851a277fd41311c9e62d2c9492e1c4f3"),
        "c hs key": _hex("dbfaa693d1762c5b666af5d950258d01"),
        "c hs iv": _hex("5bd3c71b836e0b76bb73265f"),
        "s hs key": _hex("3fce516009c21727d0f2e4e86ee403bc"),
        "s hs iv": _hex("5d313eb2671276ee13000b30"),
        "c ap key": _hex("17422dda596ed5d9acd890e3c63f5051"),
        "c ap iv": _hex("5b78923dee08579033e523d9"),
        "s ap key": _hex("9f02283b6c9c07efc26bb9f2ac92e356"),
        "s ap iv": _hex("cf782b88dd83549aadf1e984"),
    },
)
"""Section 3, a simple 1-RTT handshake."""

TICKET_NONCE: Final = b"\x00\x00"
"""ticket_nonce of the NewSessionTicket that ends ``SIMPLE`` and that ``RESUMED`` uses."""

RESUMED: Final = Trace(
    group=0x001D,
    client_private=_hex("bff91188283846dd6a2134ef7180ca2b0b14fb10dce707b5098c0dddc813b2df"),
    server_private=_hex("de5b4476e7b490b2652d338acbf2948066f255f9440e23b98fc69835298dc107"),
    client_share=_hex("e4ffb68ac05f8d96c99da26698346c6be16482badddafe051a66b4f18d668f0b"),
    server_share=_hex("121761ee42c333e1b9e77b60dd57c2053cd94512ab47f115e86eff50942cea31"),
    hellos=(
        _hex(
            "010001fc03031bc3ceb6bbe39cff938355b5a50adb6db21b7a6af649d7b4bc419d7876487d9500000613011303130201",
            "0001cd0000000b0009000006736572766572ff01000100000a00140012001d0017001800190100010101020103010400",
            "3300260024001d0020e4ffb68ac05f8d96c99da26698346c6be16482badddafe051a66b4f18d668f0b002a0000002b00",
            "03020304000d0020001e040305030603020308040805080604010501060102010402050206020202002d00020101001c",
            "0002400100150057",
            "00" * 0x57,
            "002900dd00b800b22c035d829359ee5ff7af4ec900000000262a6494dc486d2c8a34cb33fa90bf1b0070ad3c498883c9",
            "367c09a2be785abc55cd226097a3a982117283f82a03a143efd3ff5dd36d64e861be7fd61d2827db279cce145077d454",
            "a3664d4e6da4d29ee03725a6a4dafcd0fc67d2aea70529513e3da2677fa5906c5b3f7d8f92f228bda40dda721470f9fb",
            "f297b5aea617646fac5c03272e970727c621a79141ef5f7de6505e5bfbc388e93343694093934ae4d357fad6aacb0021",
            "203add4fb2d8fdf822a0ca3cf7678ef5e88dae990141c5924d57bb6fa31b9e5f9d",
        ),
        _hex(
            "0200005c03033ccfd2dec890222763472ae8136777c9d7358777bb66e91ea5122495f559ea2d00130100003400290002",
            "000000330024001d0020121761ee42c333e1b9e77b60dd57c2053cd94512ab47f115e86eff50942cea31002b00020304",
        ),
    ),
    flight=(
        _hex("080000280026000a00140012001d00170018001901000101010201030104001c0002400100000000002a0000"),
    ),
    server_finished=_hex("1400002048d3e0e1b3d907c6acff145e16090388c77b05c050b634ab1a88bbd0dd1a34b2"),
    early=(_hex("05000000"),),
    client_finished=_hex("140000207230a9c952c25cd6138fc5e6628308c41c5335dd81b9f96bcea50fd32bda416d"),
    client_finished_record=_hex(
        "170303003500f8b467d14cf22a4b3f0b6ae0d8e6cc8d08e0db3515ef5c2bdf1922eafbb70009964716d834fb70c3d2a5",
        "6c5b1f5f6bdba6c333cf",
    ),
    client_close_record=_hex("17030300130facce3246bdfc6369838d6a82ae6de5d422dc"),
    server_close_record=_hex("17030300135b18af444e8e1eec7158fb62d8f2577d37ba5d"),
    secrets={
        "shared": _hex("f44194756ff9ec9d25180635d66ea6824c6ab3bf179977be37f723570e7ccb2e"),
        "early": _hex("9b2188e9b2fc6d64d71dc329900e20bb41915000f678aa839cbb797cb7d8332c"),
        "binder hash": _hex("63224b2e4573f2d3454ca84b9d009a04f6be9e05711a8396473aefa01e924a14"),
        "res binder": _hex("69fe131a3bbad5d63c64eebcc30e395b9d8107726a13d074e389dbc8a4e47256"),
        "binder": _hex("3add4fb2d8fdf822a0ca3cf7678ef5e88dae990141c5924d57bb6fa31b9e5f9d"),
        "c e traffic": _hex("3fbbe6a60deb66c30a32795aba0eff7eaa10105586e7be5c09678d63b6caab62"),
        "e exp master": _hex("b2026866610937d7423e5be90862ccf24c0e6091186d34f812089ff5be2ef7df"),
        "c e key": _hex("920205a5b7bf2115e6fc5c2942834f54"),
        "c e iv": _hex("6d475f0993c8e564610db2b9"),
        "handshake": _hex("005cb112fd8eb4ccc623bb88a07c64b3ede1605363fc7d0df8c7ce4ff0fb4ae6"),
        "master": _hex("e2d32d4ed66dd37897a0e80c84107503ce58bf8aad4cb55a5002d77ecb890ece"),
        "c hs traffic": _hex("2faac08f851d35fea3604fcb4de82dc62c9b164a70974d0462e27f1ab278700f"),
        "s hs traffic": _hex("fe927ae271312e8bf0275b581c54eef020450dc4ecffaa05a1a35d27518e7803"),
        "c ap traffic": _hex("2abbf2b8e381d23dbebe1dd2a7d16a8bf484cb4950d23fb7fb7fa8547062d9a1"),
        "s ap traffic": _hex("cc21f1bf8feb7dd5fa505bd9c4b468a9984d554a993dc49e6d285598fb672691"),
        "exp master": _hex("3fd93d4ffddc98e64b14dd107aedf8ee4add23f4510f58a4592d0b201bee56b4"),
        "c hs key": _hex("b1530806f4adfeac83f1413032bbfa82"),
        "c hs iv": _hex("eb50c16be7654abf99dd06d9"),
        "s hs key": _hex("27c6bdc0a3dcea39a47326d79bc9e4ee"),
        "s hs iv": _hex("9569ecdd4d0536705e9ef725"),
        "s ap key": _hex("e857c690a34c5a9129d833619684f95e"),
        "s ap iv": _hex("0685d6b561aab9ef1013faf9"),
    },
)
"""Section 4, the resumption of ``SIMPLE`` with 0-RTT data."""

BINDERS_LENGTH: Final = 35
"""Bytes at the end of the ClientHello of ``RESUMED`` that the binder does not cover."""

RETRY: Final = Trace(
    group=0x0017,
    client_private=_hex("ab5473467e19346ceb0a0414e41da21d4d2445bc3025afe97c4e8dc8d513da39"),
    server_private=_hex("8c510601f9765bfb8ed693449a48989859b5cfa879cb9f5443c41c5ff10634ed"),
    client_share=_hex(
        "04a6da7392ec591e17abfd535964b99894d13befb221b3def2ebe3830eac8f0151812677c4d6d2237e85cf01d6910cfb",
        "83954e76ba7352830534159897e8065780",
    ),
    server_share=_hex(
        "04583e054b7a66672ae020ad9d2686fcc85b5ad41a134a0f03ee72b893052bd85b4c8de6776f5b04ac07d83540eab3e3",
        "d9c547bc6528c4317d294686093a6cad7d",
    ),
    hellos=(
        _hex(
            "010000b00303b0b1c5a5aa37c5919f2ed1d5c6fff7fcb7849716945a2b8cee9258a346677b6f00000613011303130201",
            "0000810000000b0009000006736572766572ff01000100000a00080006001d00170018003300260024001d0020e8e8e3",
            "f3b93a25ed97a14a7dcacb8a272c6288e585c6484d05262fcad062ad1f002b0003020304000d0020001e040305030603",
            "020308040805080604010501060102010402050206020202002d00020101001c00024001",
        ),
        _hex(
            "020000ac0303cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c00130100008400330002",
            "0017002c0074007271dcd04bb88bc3189119398a00000000eefafc76c146b823b096f8aacad365dd0030953f4edf6256",
            "36e5f21bb2e23fcc654b1b5b40318d10d137abcbb87574e36e8a1f025f7dfa5d6e50781b5eda4aa15b0c8be778257d16",
            "aa3030e9e7841dd9e4c0342267e8ca0caf571fb2b7cff0f934b0002b00020304",
        ),
        _hex(
            "010001fc0303b0b1c5a5aa37c5919f2ed1d5c6fff7fcb7849716945a2b8cee9258a346677b6f00000613011303130201",
            "0001cd0000000b0009000006736572766572ff01000100000a00080006001d001700180033004700450017004104a6da",
            "7392ec591e17abfd535964b99894d13befb221b3def2ebe3830eac8f0151812677c4d6d2237e85cf01d6910cfb83954e",
            "76ba7352830534159897e8065780002b0003020304000d0020001e040305030603020308040805080604010501060102",
            "010402050206020202002c0074007271dcd04bb88bc3189119398a00000000eefafc76c146b823b096f8aacad365dd00",
            "30953f4edf625636e5f21bb2e23fcc654b1b5b40318d10d137abcbb87574e36e8a1f025f7dfa5d6e50781b5eda4aa15b",
            "0c8be778257d16aa3030e9e7841dd9e4c0342267e8ca0caf571fb2b7cff0f934b0002d00020101001c00024001001500",
            "af",
            "00" * 0xAF,
        ),
        _hex(
            "020000770303bb341d847fd789c47c387172dc0c9bf147fccacb5043d86ca4c598d3ff571b9800130100004f00330045",
            "0017004104583e054b7a66672ae020ad9d2686fcc85b5ad41a134a0f03ee72b893052bd85b4c8de6776f5b04ac07d835",
            "40eab3e3d9c547bc6528c4317d294686093a6cad7d002b00020304",
        ),
    ),
    flight=(
        _hex("080000180016000a0008000600170018001d001c0002400100000000"),
        _CERTIFICATE,
        _hex(
            "0f0000840804008033ab13d4462707231b5dcae6c8190b63d1dabc74f28c395370da0b07e5b83066d0246a31acd95df4",
            "75bfd799a4a70d33ad93d3a317a9b2c0d237a5685b219e774112e391a247607d1aeff1bbd0a39f382ee1a5fe88ae99ec",
            "59228e6497e45d48ce275a6d5ef40d169fb6f9d33b052ed3dcdd6b5a48baafffbcb290128415bd38",
        ),
    ),
    server_finished=_hex("140000208863e6bfb0420a927fa27f34336a70ae426e968e3eb884945b96856dba3976d1"),
    client_finished_record=_hex(
        "1703030035d74f1923c662fd34137c6f502f3dd2b93d951d1b3bc97e42afe23c31abea92fe91b474999e85e3b791ce25",
        "2fe8c3e9f939a4120cb2",
    ),
    client_close_record=_hex("17030300132ea6cdf749196023e2b3a49491695536426047"),
    server_close_record=_hex("1703030013519fc5075cb0884349759ff9ef6f011bb4c6f2"),
    secrets={
        "hello hash": _hex("8aa8e828ec2f8a884fec95a3139de01c15a3daa7ff5bfc3f4bfcc21b438d7bf8"),
        "shared": _hex("c142ce13ca11b5c2233652e63ad3d97844f1621fbfb9de69d547dc8fedeabeb4"),
        "handshake": _hex("ce022e5e6e81e50736d773f2d3adfce8220d049bf510f0dbfac927ef4243b148"),
        "c hs traffic": _hex("158aa7ab8855073582b41d674b4055cabcc534728f659314861b4e08e2011566"),
        "s hs traffic": _hex("3403e781e2af7b6508da28574f6e95a1abf162de83a97927c37672a4a0cef8a1"),
    },
)
"""Section 5, a HelloRetryRequest (with a cookie) from x25519 to secp256r1."""
