"""Messages to people: by e-mail, to Slack, to Teams or to any webhook."""
