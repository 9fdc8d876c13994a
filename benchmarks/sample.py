"""A detection as a station publishes it, for what is measured on many of them."""

from monitor.messages import DetectionMessage


def detection(message_id: str, sequence: int) -> DetectionMessage:
    """One of the usual size."""
    return DetectionMessage(
        id=message_id,
        station="valley",
        sequence=sequence,
        recording="canopy",
        onset_utc="2026-05-01T12:00:00.000Z",
        offset_utc="2026-05-01T12:00:03.000Z",
        clock_quality="ntp",
        clock_error_s=0.02,
        onset_s=float(sequence),
        offset_s=sequence + 3.0,
        label="parus_major",
        scientific_name="Parus major",
        common_name="Great Tit",
        confidence=0.8765,
        model="starter",
    )
