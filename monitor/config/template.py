"""The file that `dawnchorus config init` writes."""

TEMPLATE = """\
# Dawn Chorus. Every key may be left out; what stands here is the default, and
# `dawnchorus config schema` describes them all.

station: station            # names this station in topics; no blanks, + # or /

source:
  kind: microphone
  device: ""                # part of its name as `dawnchorus devices` shows it; empty: the default input
# source:                   # or play recordings as if they were heard now
#   kind: recordings
#   paths: [/srv/recordings]

model: null                 # path of another model file; null: the bundled one

detection:
  step_s: 1.0               # seconds between windows
  threshold: null           # 0 to 1 for all species; null: the model's own
  thresholds: {}            # for single species, such as {Parus major: 0.7}

store:
  directory: ""             # empty: the service's state directory

mqtt:
  host: localhost
  port: 1883
  prefix: dawnchorus        # topics are <prefix>/<station>/detections, effort and status
  username: null
  password_file: null       # file whose first line is the password
  tls: false
"""
