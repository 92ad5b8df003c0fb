"""This host: directories, permissions and files that the config relies on."""

from logroute.config.rules.rule import Rule

__all__ = ["HOST"]

HOST: tuple[Rule, ...] = ()
