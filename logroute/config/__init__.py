"""The config wing: text -> checked, frozen `Config`. It knows nothing of the engine."""
