"""The daemon's life: start or refuse in one sentence, survive what breaks, stop within seconds.

Settings, model and store are checked at the start. Afterwards a lost microphone, broker or disk is
waited for; only the end of all recordings or a signal ends the service.

serve       from the first signal handler to the last flush: read first
streams     what is listened to, found again for ever
session     settings, model, store and publisher, and one recording through the pipeline
systemd     what systemd is told
"""
