"""A page that shows a station while it listens, reads its store and takes verdicts. A process of its own.

serve        where it listens, and who may come: read first
app          which addresses there are
access       token, cookie, names of this host, where a request comes from
answers      what is sent back, and with which headers
described    the OpenAPI document of it
knowing      what the page shows, whoever knows it: detections, effort
stored       ... the store of this device
heard        ... a broker, for a page that is served anywhere else
files        the sound of a detection, and nothing else that lies on the disk
happening    what happens just now, from the daemon's socket or the broker, for as long as somebody looks
checking     whether the configuration can be read, and how clock, disk and rights are
pages/       the page itself: one HTML, one CSS, one JavaScript, nothing from elsewhere

Nothing runs while nobody looks.
"""
