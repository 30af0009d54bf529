"""Labels that are no class of the model that is measured."""


def advice(unknown: str, what: str) -> str:
    """What to do about labels that are no class of the model."""
    if unknown == "refuse":
        return f"rename them, or say unknown='skip' to leave such {what} out"
    return f"rename them: without them there are no {what} left"
