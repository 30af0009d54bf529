"""One job in parts: where it may be cut, each part by itself, and all of them put together."""
