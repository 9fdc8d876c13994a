"""The file that `dawnchorus config init` writes."""

TEMPLATE = """\
# Dawn Chorus. Every key may be left out; what stands here is the default, and
# `dawnchorus config schema` describes them all.

station: station            # names this station in topics; no blanks, + # or /

source:
  kind: microphone
  device: ""                # as `dawnchorus devices` shows it, such as usb:16d0:06f3; empty: the default input
  channel: 1                # or another, or mix: all of them, averaged
  gain_db: 0.0
  high_pass_hz: null        # takes off wind and handling below this, such as 150
  buffer_s: 30.0            # audio that may wait for its analysis
# source:                   # or what ffmpeg can open: RTSP, HTTP, UDP
#   kind: network
#   url: rtsp://camera.example/audio
# sources:                  # or several, each with a name; two channels of one device, for example
#   - {kind: microphone, name: canopy, device: "usb:16d0:06f3", channel: 1}
#   - {kind: microphone, name: ground, device: "usb:16d0:06f3", channel: 2}
# source:                   # or play recordings as if they were heard now
#   kind: recordings
#   paths: [/srv/recordings]

model: null                 # path of a model file, or a list of several that listen together; null: the bundled

species:                    # for models that know more species than live here
  include: []               # names that may be reported; empty: all, or what the next two say
  exclude: []               # names that are never reported
  list_file: null           # file of names that occur here, one a line
  geo_model: null           # or a geo model, such as birdnet-geomodel-v3.onnx; place says where "here" is

detection:
  step_s: 1.0               # seconds between windows
  threshold: null           # 0 to 1 for all species; null: the model's own
  thresholds: {}            # for single species, such as {Parus major: 0.7}

place:
  latitude: null            # degrees, south is negative; for sunrise and sunset
  longitude: null           # degrees, west is negative
  timezone: UTC             # of the schedule, such as Europe/Berlin

schedule:
  windows: []               # such as ["04:30-09:00", "sunset-30m to sunset+90m"]; empty: always
  on_s: null                # and, of these, a duty cycle: listen for so long,
  off_s: null               # then pause for so long

clock:
  gpsd_host: localhost      # asked for the time if gpsd runs there; null: never

store:
  directory: ""             # empty: the service's state directory
  outbox_rows: 1000000      # messages that wait for a broker at most, and MB of them; then the oldest are given up
  outbox_mb: 1000
  keep_days: null           # what is older and delivered goes once a day, such as 400; null: it stays for ever

clips: null                 # no audio is kept; or, where it holds no speech, the audio around detections:
# clips:
#   directory: /srv/clips
#   before_s: 2.0           # before and after each detection
#   after_s: 2.0
#   pictures: true          # a spectrogram beside each clip
#   at_most_per_species_and_day: 20
#   rules:                  # of which one must fit; without any, all detections do
#     - {above: 0.8, at_most: 5}                         # five clips of a species and day at most
#     - {species: [Parus major], first_of_day: true}     # what is named together must be true together
#     - {new: true}         # of the species there was no clip before; no bound of a day keeps it away
#     - {rare: 10}          # nor this: of the species there are fewer than ten detections
#   keep:                   # what goes: the weakest of the commonest first, never what was pinned or confirmed
#     days: null            # older ones
#     megabytes: null       # so many of all clips stay
#     free_megabytes: 100   # so much of the disk stays free,
#     free_percent: 0       # and so much
#     per_species: null     # so many of each species stay, the best

web:
  live: true                # what is heard, as a picture without speech, for `dawnchorus web` on this device
  socket: null              # where it listens for it, in the file system; null: live.sock beside the store

unknown: null               # or, where they hold no speech, windows that are loud and unlike any label, for
# unknown:                  # `dawnchorus discover` and `dawnchorus find`:
#   directory: /srv/unknown
#   megabytes: 200          # that they take at most

mqtt:
  host: localhost
  port: 1883
  prefix: dawnchorus        # topics are <prefix>/<station>/detections, effort and status
  username: null
  password_file: null       # file whose first line is the password; or password_credential: the name of one that
                            # systemd loads; or password_variable: of the environment. All are read at each connection
  tls: false                # true: encrypted, TLS 1.2 at least; the certificate has to name the host
  ca_file: null             # certificate authorities; null: the system's
  cert_file: null           # certificate of the station, where the broker asks for one,
  key_file: null            # and its key
  websocket_path: null      # such as /mqtt, where MQTT goes through a web server
  keepalive_s: 30           # a dead line is noticed after one to two of these
  # brokers:                # or several, in order, in the place of host and the keys that describe one
  #   - {host: broker.example, tls: true, port: 8883}
  #   - {host: 192.168.1.2}
  budget_kb_per_hour: null  # of a metered link; what is over it waits, but for status, health and commands
  batch: null               # or {rows: 100, wait_s: 600}: messages that wait for each other and go as one, compressed
  live: null                # or {floor: 0.1}: the scores of each window, from this one up, for dashboards
  lifecycle: false          # true: tell of a detection also when it begins and while it goes on
  birdnet_go: null          # or {topic: birdnet}: detections once more as BirdNET-Go publishes them
  homeassistant: null       # or {species: [Parus major]}: sensors that Home Assistant finds by itself
  commands: null            # or {key_file: /etc/dawnchorus/key}: obey who has this key, see dawnchorus command
"""
