"""``python -m flowyard``"""

from flowyard.cli.main import main

main()
