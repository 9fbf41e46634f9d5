"""fumehood without a screen: environments, containers, repositories, cache, network, agents, tasks."""

__version__ = "0.1.0"
