"""The daemon's life: start or refuse in one sentence, survive what breaks, stop within seconds.

Settings, model and store are checked at the start. Afterwards a lost microphone, broker or disk is
waited for; only the end of all recordings or a signal ends the service.

serve            from the first signal handler to the last flush: read first
streams          what is listened to, found again for ever
session          settings, model, store and publisher, and one recording through the pipeline
progress         how far each row of streams has come; told by heartbeat, which stands at the end of each chain
watchdog         what systemd is told of it; systemd says it
vitals, today    what the broker is told of it, once a minute
live             the scores of each window, for who asks for them
correspondence   Home Assistant, and who commands
reload           a configuration that has changed
timekeeping      what time it is
noise_watch      whether a microphone has become deaf
regular          what these do again and again
"""
