"""What is known of two arms: from records of production to counts by span of time and epoch."""
