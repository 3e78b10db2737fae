"""``python -m flowyard``"""

from flowyard.cli.start import start

start()
