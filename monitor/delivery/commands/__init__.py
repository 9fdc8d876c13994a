"""What a station is told over MQTT by who has its key.

signing     a command is what its signature covers
admission   which commands are obeyed
actions     what each of them does
listener    from the topic `command` to the topic `response`
sender      the other side: `dawnchorus command`
"""
