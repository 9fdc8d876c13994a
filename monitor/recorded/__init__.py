"""What is known of a recording beside its samples, and how recorders write that into a WAV or a FLAC.

origin      the files that a recording lies in, and who made it where: read first
riff        the chunks of a WAV
guano       GUANO's fields, in the chunk `guan`
wamd        what Wildlife Acoustics writes, in the chunk `wamd`
flac        the comments of a FLAC
frontier    what Frontier Labs writes there
"""

from monitor.recorded.origin import Part, Position, Recorded, Recorder

__all__ = ["Part", "Position", "Recorded", "Recorder"]
