"""Sets of pairs: two pictures of the same thing each, such as edges and colours."""
