"""The written form of revocations is a ``RevocationFormatError``, or exactly what is written again after merges."""

from sansticket.tickets.stores.revocations import RevocationFormatError, Revocations


def one_input(data: bytes) -> None:
    try:
        revocations = Revocations.from_bytes(data)
    except RevocationFormatError:
        return
    assert revocations.to_bytes() == data
    revocations.merge(revocations)
    revocations.merge(Revocations())
    assert revocations.to_bytes() == data
