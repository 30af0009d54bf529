"""Tables with time: numbers in regular steps, of one series or of many."""
