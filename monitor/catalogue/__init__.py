"""Other people's models that this program knows how to fetch and to run.

Each is one YAML file in `models/foreign`: the contract that will lie beside the model, and where its files come from.

entries     the models that are known, and licences that were accepted: read first
download    a file from the network, checked, resumed where it broke off
get         a model with its labels and its contract into a folder, never over a file that is there
"""
