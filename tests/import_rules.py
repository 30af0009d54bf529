"""Rules about imports that import-linter has no contract for: see `[tool.importlinter]` in pyproject.toml."""

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, output


class NoCircles(Contract):
    """No module imports itself by way of others, however far."""

    type_name = "no_circles"

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Names the shortest way around of every circle."""
        circles = {}
        for importer in sorted(graph.modules):
            for imported in graph.find_modules_directly_imported_by(importer):
                way = graph.find_shortest_chain(importer=imported, imported=importer)
                if way and frozenset(way) not in circles:
                    circles[frozenset(way)] = (importer, *way)
        return ContractCheck(kept=not circles, metadata={"broken": list(circles.values())})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Prints the circles."""
        for way in check.metadata["broken"]:
            output.print_error(" -> ".join(way), bold=False)


class Applications(Contract):
    """No application imports another: what two of them share is in a place that both may use.

    An application is a package of `jobs` with a module `spec`. A room (`jobs.gan.style`) owns all that is in
    it. A technique's first application (`jobs.gan`) owns the modules beside its spec, and the packages below
    that import one of these; the other packages are for all rooms.
    """

    type_name = "applications"

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Names each import of one application's modules by another's."""
        owners = owners_of(graph)
        broken = [
            (importer, imported)
            for importer, owner in sorted(owners.items())
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if owners.get(imported) not in (None, owner)
        ]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Prints the imports."""
        for importer, imported in check.metadata["broken"]:
            output.print_error(f"{importer} imports {imported}, which is another application's", bold=False)


def owners_of(graph: ImportGraph) -> dict[str, str | None]:
    """The application that each module of `jobs` belongs to; None for what all may use."""
    modules = sorted(module for module in graph.modules if module.startswith("jobs."))
    owners = {module: _owner(module, graph.modules) for module in modules}
    for module in modules:
        technique, package = module.split(".")[:2], module.split(".")[:3]
        imported = {owners.get(name) for name in graph.find_modules_directly_imported_by(module)}
        if owners[module] is None and ".".join(technique) in imported:
            owners |= {each: ".".join(technique) for each in modules if each.split(".")[:3] == package}
    return owners


def _owner(module: str, modules: set[str]) -> str | None:
    parts = module.split(".")
    technique, room = ".".join(parts[:2]), ".".join(parts[:3])
    if f"{room}.spec" in modules:
        return room
    return (
        technique
        if len(parts) == 3
        and room in modules
        and f"{technique}.spec" in modules
        and not any(each.startswith(f"{room}.") for each in modules)
        else None
    )
