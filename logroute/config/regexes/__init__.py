"""Regular expressions judged as automata, with bounded work. Pure functions."""
