"""Jobs that are submitted again and again, at times of the calendar."""
